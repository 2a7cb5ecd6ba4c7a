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
#include "base/flight.h"
#include "base/handover.h"
#include "base/log.h"
#include "base/plan.h"
#include "capture/child.h"
#include "capture/disks.h"
#include "capture/report.h"

/** What has begun, so that a second worker leaves it out. */
struct capture_progress {
	bool quiesced;
	size_t modules;       /* how many of the plan */
	bool prepared;        /* the programs before the dump */
	size_t target;        /* number of the one that is tried; that of all targets: none is left */
	bool mounted;         /* it may be */
	bool dumping;         /* to it, now */
	bool posted;          /* the programs after the dump */
	bool stuck;           /* somebody waits in the kernel and may do so for ever, as sync(2) then would */
	struct disks hanging; /* those that stuck children work on */
};

/** What process 1 learns through shared memory, however the capture ended. */
struct capture_outcome {
	enum capture_result result; /* the best of all targets so far */
	bool vetoed;                /* a hook before the dump forbade the dump */
	struct crash_facts crash;
	struct target_place place;
	struct capture_progress progress;
	struct kd_flight flight;
	bool loaded;    /* the kernel to return to */
	bool returning; /* and nothing is left that speaks against starting it */
};

struct capture_setup {
	const struct kd_plan *plan;
	const struct kd_handover *handover; /* NULL: the image has none */
	struct kd_error *plan_error; /* why @plan is only the default plan; NULL: @plan was read from the image */
	struct kd_error *again;      /* of what a first worker has died; NULL: this is the first */
	const struct kd_log *log;
	bool sets_clock;  /* of the machine, if it is wrong */
	int console;      /* for progress; the descriptor does not block; -1: none */
	int64_t started;  /* clock_ms() when process 1 began */
	int64_t deadline; /* of the whole capture */
	struct capture_outcome *outcome;
};

/** The action that follows, when all is done; *loop_ret := a crash loop has changed it. */
enum kd_action capture_action(const struct capture_setup *setup, bool *loop_ret);

/** Run all steps. Their failures are logged, and written to the report if there is a target. An error is returned only
 *  if no step could be run. */
struct kd_error *capture_run(const struct capture_setup *setup) MUST_CHECK;

/** Run @job, which calls capture_run() with @setup, in a child. If that dies before the dump is complete, and there is
 *  time left, a second one takes over, once: whatever had begun is left out, and @setup->again says why. */
void capture_supervise(const struct child_job *job, struct capture_setup *setup);

#endif
