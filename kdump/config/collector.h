/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Decide at start who runs core_collector, and whether it can work. */
#ifndef KDUMP_CONFIG_COLLECTOR_H
#define KDUMP_CONFIG_COLLECTOR_H

#include <stdbool.h>

#include "base/error.h"
#include "base/plan.h"
#include "base/sysroot.h"

struct collector {
	enum kd_collector_kind kind;
	const char *program;      /* argv[0], or "dumpfilter" in place of makedumpfile; borrowed */
	const char *erase_config; /* the value of --config; borrowed from argv, "" if it is not given */
};

/** Decide on the core_collector @argv. A command line of dumpfilter or makedumpfile is checked, and so is the file that
 *  --config names. Where makedumpfile is not installed, dumpfilter takes its place if it has all the options.
 *  KD_ERR_USAGE: the program would refuse the command line, or not write exactly one dump. KD_ERR_CONFIG: the file is
 *  wrong, or dumpfilter would have too little memory. KD_ERR_OS: the file cannot be read, makedumpfile cannot be run.
 *  KD_ERR_NOT_FOUND: makedumpfile is not installed, and dumpfilter cannot take its place. */
struct kd_error *collector_decide(const struct kd_sysroot *root, char *const *argv, struct collector *ret) MUST_CHECK;

/** Can the output of @collector, with the command line @argv, be encrypted while it is made? Only a stream can:
 *  dumpfilter and makedumpfile write one with -F, which the capture adds. KD_ERR_USAGE (another option forbids that),
 *  KD_ERR_UNSUPPORTED (another program). */
struct kd_error *collector_check_stream(const struct collector *collector, char *const *argv) MUST_CHECK;

/** Is @program, the first word of a core_collector, dumpfilter(8), in whatever directory? */
bool collector_is_dumpfilter(const char *program);
/** Is it makedumpfile(8)? */
bool collector_is_makedumpfile(const char *program);

#endif
