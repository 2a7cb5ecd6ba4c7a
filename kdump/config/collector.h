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
	const char *erase_config; /* the value of --config; borrowed from argv, "" if it is not given */
};

/** Decide on the core_collector @argv. A command line of dumpfilter is checked, and so is the file that --config names.
 *  KD_ERR_USAGE: dumpfilter would refuse the command line, or not write exactly one dump. KD_ERR_CONFIG: the file is
 *  wrong, or dumpfilter would have too little memory. KD_ERR_OS: the file cannot be read. */
struct kd_error *collector_decide(const struct kd_sysroot *root, char *const *argv, struct collector *ret) MUST_CHECK;

/** Is @program, the first word of a core_collector, dumpfilter(8), in whatever directory? */
bool collector_is_dumpfilter(const char *program);

#endif
