/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The metrics of "kdumpctl status", for other verbs. */
#ifndef KDUMP_VERBS_STATUS_H
#define KDUMP_VERBS_STATUS_H

#include "kdump/arming/health.h"

/** Write @health to @path in Prometheus' text format, atomically: node_exporter's textfile collector never reads
 *  half. */
struct kd_error *status_write_metrics(const struct kd_sysroot *root, const struct health *health,
				      const char *path) MUST_CHECK;

#endif
