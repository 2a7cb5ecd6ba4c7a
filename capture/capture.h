/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The capture: follow the plan from top to bottom. Any step may fail.
 *
 *  It runs as a child of process 1, which only waits for it with a deadline, so that no crash and no hang in the child
 *  can keep the machine from coming back.
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "capture/report.h"

/** What process 1 learns through shared memory, however the capture ended. */
struct capture_outcome {
	enum capture_result result; /* the best of all targets so far */
	bool vetoed;                /* a hook before the dump forbade the dump */
	struct crash_facts crash;
	struct target_place place;
};

struct capture_setup {
	const struct kd_plan *plan;
	struct kd_error *plan_error; /* why @plan is only the default plan; NULL: @plan was read from the image */
	const struct kd_log *log;
	int console;      /* for progress; the descriptor does not block; -1: none */
	int64_t started;  /* clock_ms() when process 1 began */
	int64_t deadline; /* of the whole capture */
	struct capture_outcome *outcome;
};

/** Run all steps. Their failures are logged, and written to the report if there is a target. An error is returned only
 *  if no step could be run. */
struct kd_error *capture_run(const struct capture_setup *setup) MUST_CHECK;

#endif
