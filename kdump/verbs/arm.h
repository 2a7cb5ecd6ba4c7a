/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Arming for other verbs, with the cheap checks that "kdumpctl start" makes. */
#ifndef KDUMP_VERBS_ARM_H
#define KDUMP_VERBS_ARM_H

#include "kdump/verbs/kdumpctl.h"

/** Load the capture kernel again if the result differs from the loaded image (arming_refresh()). */
struct kd_error *arm_refresh(struct kdumpctl *ctl) MUST_CHECK;

/** Build the image for kernel @release (NULL: the configured one) ahead, and load nothing (arming_build()). */
struct kd_error *arm_build_ahead(struct kdumpctl *ctl, const char *release) MUST_CHECK;

#endif
