/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Earlier crashes of this machine, for the crash-loop breaker. The capture kernel decides by them, and touches nothing
 *  to learn of them: they are read while the machine is healthy, and handed over. */
#ifndef KDUMP_ARMING_CRASH_LOOP_H
#define KDUMP_ARMING_CRASH_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/handover.h"
#include "base/plan.h"
#include "base/sysroot.h"

#define CRASHES_PATH KD_STATEDIR "/crashes"

struct crash_loop_request {
	const struct kd_sysroot *root;
	const struct kd_plan_loop *loop;
	const char *const *directory; /* with dumps, on this machine; NULL-terminated */
	bool local;                   /* every target has its directory there */
	int64_t now;
	bool dry_run; /* keep no record */
};

/** Put the crashes of the last loop->seconds into @handover->crash, oldest first. A crash is known by its dump, or by a
 *  boot that was armed and did not shut down, if this one came by a kexec, or if dumps go where they cannot be seen.
 *  The record keeps those whose dump has been removed since. KD_ERR_OS, KD_ERR_STATE. */
struct kd_error *crash_loop_collect(const struct crash_loop_request *request, struct kd_handover *handover) MUST_CHECK;

/** Was this kernel started by a kexec, and not by the firmware? */
bool crash_loop_booted_by_kexec(const struct kd_sysroot *root);

/** "2 crashes within 60 minutes; 3 lead to poweroff"; NULL in *ret: no limit is set. Owned by the caller. */
struct kd_error *crash_loop_describe(const struct kd_plan_loop *loop, const struct kd_handover *handover, int64_t now,
				     char **ret) MUST_CHECK;

#endif
