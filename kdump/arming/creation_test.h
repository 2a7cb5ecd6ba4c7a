/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The record of the test that crashes the machine on purpose.
 *
 *  Before the crash the test is recorded as pending, with its time. After the reboot the test has succeeded if there
 *  is a complete dump of that time or later. The file is Red Hat's, KD_STATEDIR/vmcore-creation.status: "pending
 *  EPOCH", then "success EPOCH" or "fail EPOCH". */
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

/** Read the last test. False: there is no record, or it is not valid. */
bool creation_test_read(const struct kd_sysroot *root, struct creation_test *ret);

/** Record a pending test of this moment. The record is on the disk when this returns: the machine is about to crash. */
struct kd_error *creation_test_begin(const struct kd_sysroot *root) MUST_CHECK;

/** Decide a pending test by the dumps that exist now, in @count places. @all: there are no others, so a test without a
 *  dump has failed. If no test is pending, nothing happens. */
struct kd_error *creation_test_settle(const struct kd_sysroot *root, const struct dumps *dumps, size_t count,
				      bool all) MUST_CHECK;

/** Forget the result of a test, since the image that it tested was replaced. A pending test stays. */
struct kd_error *creation_test_clear(const struct kd_sysroot *root) MUST_CHECK;

#endif
