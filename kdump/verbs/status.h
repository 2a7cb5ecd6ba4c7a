/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What "kdumpctl status" offers to others. */
#ifndef KDUMP_VERBS_STATUS_H
#define KDUMP_VERBS_STATUS_H

#include "kdump/arming/health.h"

/** Replace @path by @health in Prometheus' text format, so that node_exporter's textfile collector never reads half. */
struct kd_error *status_write_metrics(const struct kd_sysroot *root, const struct health *health,
				      const char *path) MUST_CHECK;

#endif
