/* SPDX-License-Identifier: GPL-2.0-or-later */
/** core_collector, looked at before it is needed. */
#ifndef KDUMP_CONFIG_COLLECTOR_H
#define KDUMP_CONFIG_COLLECTOR_H

#include <stdbool.h>

#include "base/error.h"
#include "base/sysroot.h"

/** Check the command line of @argv if it is dumpfilter's. *built_in: the capture program does this by itself; otherwise
 *  argv[0] has to be in the image. KD_ERR_USAGE: dumpfilter would refuse it, or write no dump. */
struct kd_error *collector_check(char *const *argv, bool *built_in) MUST_CHECK;

/** Check the file that --config names, if there is one. KD_ERR_CONFIG (its line), KD_ERR_OS. */
struct kd_error *collector_check_config(const struct kd_sysroot *root, char *const *argv) MUST_CHECK;

#endif
