/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The test that crashes the machine on purpose, and what became of it.
 *
 *  Before the crash the test is recorded as pending, with its time; after the reboot a dump of that time or later that
 * is complete means success. Red Hat's file, KD_STATEDIR/vmcore-creation.status, then holds "success EPOCH" or "fail
 * EPOCH" ("pending EPOCH" before). */
#ifndef KDUMP_ARMING_CREATION_TEST_H
#define KDUMP_ARMING_CREATION_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/dumps/dumps.h"

#define CREATION_TEST_PATH KD_STATEDIR "/vmcore-creation.status"

struct creation_test {
	char result[16]; /* "pending", "success", "fail" */
	int64_t time;    /* when the machine was crashed, seconds since the epoch */
};

/** The last test. False: there is no record, or none that makes sense. */
bool creation_test_read(const struct kd_sysroot *root, struct creation_test *ret);

/** Record a pending test of this moment, durably: the machine is about to crash. */
struct kd_error *creation_test_begin(const struct kd_sysroot *root) MUST_CHECK;

/** Settle a pending test by the dumps that there are now. Nothing pending is success. */
struct kd_error *creation_test_settle(const struct kd_sysroot *root, const struct dumps *dumps) MUST_CHECK;

/** The image has changed: what was tested is no more. A test whose dump has not been looked for yet stays. */
struct kd_error *creation_test_clear(const struct kd_sysroot *root) MUST_CHECK;

#endif
