/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Kernel modules of the image, inserted in the plan's order.
 *
 *  Whoever loads a driver must never be killed: while a fatal signal is pending, kthread_run() fails with -EINTR and
 *  alloc_workqueue() returns NULL, so a driver that was only slow (a RAID controller resets for minutes) breaks.
 */
#ifndef CAPTURE_MODULES_H
#define CAPTURE_MODULES_H

#include <stdint.h>

#include "base/error.h"
#include "base/plan.h"

/** The parameters to insert the module @file with: @options, which were recorded on the healthy machine, and what
 *  @cmdline, this kernel's command line, says as "module.parameter=value", which wins. Double quotes protect blanks
 *  there. *ret is owned by the caller. */
struct kd_error *module_options(const char *file, const char *options, const char *cmdline, char **ret) MUST_CHECK;

/** Expand (by suffix: ".gz", or plain), insert, and delete the file: the image lies in memory. Already there is fine. A
 *  child does it, until @deadline at most; a driver that needs longer goes on by itself (KD_ERR_TIMEOUT). */
struct kd_error *module_insert(const struct kd_plan_module *module, int64_t deadline) MUST_CHECK;

#endif
