/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The volumes below a block device, for the plan: the device-mapper tables and RAID members of the healthy machine.
 *  UUIDs replace device numbers, which change, and references replace keys.
 *
 *  The key of an encrypted volume is not a part of the plan. The plan only names it; volume_keys.h finds it when the
 *  capture kernel is loaded. */
#ifndef KDUMP_STORAGE_VOLUMES_H
#define KDUMP_STORAGE_VOLUMES_H

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "kdump/storage/target.h"
#include "kdump/storage/volumes_source.h"

/** Append to @plan the volumes that make up the device of @target ("/dev/dm-0"), lowest first. A disk, a partition or a
 *  target without a device has none. KD_ERR_UNSUPPORTED: the capture could not assemble a volume; the message says
 *  what to do. */
struct kd_error *volumes_resolve(const struct kd_sysroot *root, const struct kd_log *log,
				 const struct volumes_source *source, const struct target *target,
				 struct kd_plan *plan) MUST_CHECK;

/** Describe the present parts of volume @name in a text that can be compared later and holds no key. *ret is owned by
 *  the caller. KD_ERR_OS (ENXIO, ENOENT: the volume does not exist; EACCES: only root may read this). */
struct kd_error *volumes_describe(const struct kd_sysroot *root, const struct volumes_source *source, const char *name,
				  char **ret) MUST_CHECK;

#endif
