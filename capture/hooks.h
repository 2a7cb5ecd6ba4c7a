/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The administrator's programs that run before and after the dump. */
#ifndef CAPTURE_HOOKS_H
#define CAPTURE_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"

/** Has the plan a hook of the kind @when? */
bool hooks_exist(const struct kd_plan *plan, const char *when);

/** Run the plan's hooks of the kind @when ("pre", "pre.d", "post", "emergency") in order, with @argument (NULL: none)
 *  as the last argument, until @deadline. Returns the first failure; later ones are logged. KD_ERR_OS: the command
 *  could not be run; any other code: it ran, and failed. */
struct kd_error *hooks_run(const struct kd_plan *plan, const char *when, const char *argument, int64_t deadline,
			   const struct kd_log *log) MUST_CHECK;

#endif
