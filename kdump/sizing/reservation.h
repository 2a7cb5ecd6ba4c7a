/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The need of the configured capture, compared with the reservation of this machine. */
#ifndef KDUMP_SIZING_RESERVATION_H
#define KDUMP_SIZING_RESERVATION_H

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/sizing/estimate.h"

/** Estimate the need of the capture by kernel @release (NULL: the configured one) and with @conf_file, a path below
 *  @root. Errors are those of settings_load(), kernel_find(), kd_conf_load() and estimate_make(). */
struct kd_error *reservation_estimate(const struct kd_sysroot *root, const struct kd_log *log, const char *conf_file,
				      const char *release, struct estimate *ret) MUST_CHECK;

/** Warn on @log of a reservation that is too small, and mention one that is wastefully large. */
void reservation_remark(const struct kd_log *log, const struct estimate *estimate);

#endif
