/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What is saved is encrypted, if the plan names recipients (base/age.h): no plain byte goes to a target then. Where
 *  nothing can be encrypted, nothing is saved.
 */
#ifndef CAPTURE_ENCRYPT_H
#define CAPTURE_ENCRYPT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/age.h"
#include "base/error.h"
#include "base/plan.h"
#include "capture/child.h"

struct encryption {
	bool wanted;
	bool random;              /* encryption_wait() has succeeded */
	struct kd_error *problem; /* a recipient of the plan cannot be used; owned */
	struct kd_age_recipient recipient[KD_AGE_RECIPIENTS_MAX];
	size_t count;
};

/** Take the recipients of the plan. */
void encryption_init(const struct kd_plan_encryption *plan, struct encryption *ret);

/** Wait until the kernel has random numbers, as long as that takes: run it in a child with a deadline. The kernel that
 *  crashed has left it a seed, and CPUs have instructions and jitter, so that this is over at once; but a machine with
 *  none of these may never have any. */
struct kd_error *encryption_wait(void) MUST_CHECK;

/** Begin an encrypted file in the open @fd; @name is for errors. Both are borrowed. KD_ERR_STATE: nothing can be
 *  encrypted. */
struct kd_error *encryption_begin(const struct encryption *encryption, int fd, const char *name,
				  struct kd_age_writer **ret) MUST_CHECK;

/** A stream whose content is encrypted by @writer, borrowed. What it is given reaches the file in whole chunks, and the
 *  rest with kd_age_finish() after fflush(3). NULL: no memory. */
FILE *encryption_stream(struct kd_age_writer *writer);

/** Run @job in a child with its standard output encrypted into the new file @name (mode 0600) of the working directory.
 *  Only if @job has succeeded, and all of it is on the disk, has the file a last chunk, which says that it is complete.
 *  The errors of the file come before those of @job. */
struct kd_error *encryption_collect(const struct encryption *encryption, const char *name,
				    const struct child_job *job) MUST_CHECK;

#endif
