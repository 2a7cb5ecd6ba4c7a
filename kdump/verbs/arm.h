/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Arming as other verbs start it, with the cheap checks that "kdumpctl start" makes. */
#ifndef KDUMP_VERBS_ARM_H
#define KDUMP_VERBS_ARM_H

#include "kdump/verbs/kdumpctl.h"

/** Load the capture kernel again if that would make a difference, in place (arming_refresh()). */
struct kd_error *arm_refresh(struct kdumpctl *ctl) MUST_CHECK;

/** Build the image for kernel @release (NULL: the configured one) ahead, and load nothing (arming_build()). */
struct kd_error *arm_build_ahead(struct kdumpctl *ctl, const char *release) MUST_CHECK;

#endif
