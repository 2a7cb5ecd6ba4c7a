/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The user's programs before and after the dump. */
#ifndef CAPTURE_HOOKS_H
#define CAPTURE_HOOKS_H

#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"

/** Run the plan's hooks of this kind ("pre", "pre.d", "post", "emergency") in order, with @argument (NULL: none) behind
 *  their own words, all of them before @deadline. Returns the first failure; those after it are logged. */
struct kd_error *hooks_run(const struct kd_plan *plan, const char *when, const char *argument, int64_t deadline,
			   const struct kd_log *log) MUST_CHECK;

#endif
