/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Kernel modules of the image, inserted in the plan's order. */
#ifndef CAPTURE_MODULES_H
#define CAPTURE_MODULES_H

#include "base/error.h"
#include "base/plan.h"

/** Expand (by suffix: ".gz", or plain), insert, and delete the file: the image lies in memory. Already there is fine.
 */
struct kd_error *module_insert(const struct kd_plan_module *module) MUST_CHECK;

#endif
