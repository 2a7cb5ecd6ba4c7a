/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The capture itself: follow the plan from top to bottom, each step allowed to fail.
 *
 *  It runs as a child of PID 1, which does nothing but wait for it with a deadline, so that no crash and no hang in
 * here can keep the machine from coming back.
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "capture/report.h"

/** What PID 1 learns, through shared memory, however the capture ended. */
struct capture_outcome {
	enum capture_result result; /* the best so far */
	bool vetoed;                /* a pre hook decided against a dump */
	struct crash_facts crash;
	struct target_place place;
};

struct capture_setup {
	const struct kd_plan *plan;
	struct kd_error *plan_error; /* why @plan is only the default one; NULL: it is the real one */
	const struct kd_log *log;
	int console;      /* for progress: does not block; -1: none */
	int64_t started;  /* clock_ms() when PID 1 began */
	int64_t deadline; /* of everything here */
	struct capture_outcome *outcome;
};

/** NULL when every step went well; what went wrong has been logged, and reported where there was a target. */
struct kd_error *capture_run(const struct capture_setup *setup) MUST_CHECK;

#endif
