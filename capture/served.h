/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Disks of servers (base/served_disk.h): log in, so that the kernel has the disk. */
#ifndef CAPTURE_SERVED_H
#define CAPTURE_SERVED_H

#include <stdint.h>

#include "base/error.h"
#include "base/plan.h"

/** The login of volume @index of @plan, which kd_served_is() has approved: set up the network to its server, wait
 *  until that answers, log in. It is done by @deadline (clock_ms()) at the latest; where volumes behind it are further
 *  ways to the same disk, it leaves them their share of the time.
 *  KD_ERR_TIMEOUT: the server does not answer. KD_ERR_OS, KD_ERR_STATE: it refuses. */
struct kd_error *served_log_in(const struct kd_plan *plan, size_t index, int64_t deadline) MUST_CHECK;

/** The text that tells the kernel to connect to NVMe volume @volume (Linux drivers/nvme/host/fabrics.c); owned by the
 *  caller. KD_ERR_FORMAT: a word holds what would be read as another option. */
struct kd_error *served_nvme_options(const struct kd_plan_volume *volume, char **ret) MUST_CHECK;

/** The command line of iscsistart(8) for @volume; @secret: the contents of its key file, NULL: none; its lines are cut
 *  apart. @argv, NULL-terminated, points into both. KD_ERR_FORMAT: a line is missing. */
enum { SERVED_ARGV_MAX = 24 };
struct kd_error *served_iscsi_command(const struct kd_plan_volume *volume, char *secret,
				      const char *argv[static SERVED_ARGV_MAX]) MUST_CHECK;

#endif
