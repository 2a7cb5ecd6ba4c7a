/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The test that crashes the machine on purpose, and what became of it.
 *
 *  Before the crash the test is recorded as pending, with its time; after the reboot a dump of that time or later that
 * is complete means success. Red Hat's file, KD_STATEDIR/vmcore-creation.status, then holds "success EPOCH" or "fail
 * EPOCH" ("pending EPOCH" before). */
#ifndef KDUMP_ARMING_CREATION_TEST_H
#define KDUMP_ARMING_CREATION_TEST_H

#include "base/error.h"
#include "kdump/dumps/dumps.h"
#include "kdump/verbs/kdumpctl.h"

#define CREATION_TEST_PATH KD_STATEDIR "/vmcore-creation.status"

/** Settle a pending test by the dumps that there are now. Nothing pending is success. */
struct kd_error *creation_test_settle(const struct kdumpctl *ctl, const struct dumps *dumps) MUST_CHECK;

/** The image has changed: what was tested is no more. A test whose dump has not been looked for yet stays. */
struct kd_error *creation_test_clear(const struct kdumpctl *ctl) MUST_CHECK;

/** Red Hat's line on ctl->log, unless VMCORE_CREATION_NOTIFICATION=no. */
void creation_test_remark(const struct kdumpctl *ctl);

/** kdumpctl test. */
extern const struct verb_option creation_test_options[];
kdumpctl_verb creation_test_run;

#endif
