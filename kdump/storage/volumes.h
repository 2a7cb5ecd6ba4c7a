/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The volumes below a block device, for the plan: the device-mapper tables and RAID members of the healthy machine.
 *  UUIDs replace device numbers, which change, and references replace keys.
 *
 *  An encrypted volume is accepted only if crypttab(5) names a key file for it: this machine then opens it by itself
 *  anyway. The volume key that the file unlocks goes into the image (mode 0600), so that the capture kernel needs
 *  neither the file nor the memory that LUKS needs to check it. */
#ifndef KDUMP_STORAGE_VOLUMES_H
#define KDUMP_STORAGE_VOLUMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "kdump/storage/target.h"

/** The keys that go into the image. */
struct volume_keys {
	struct volume_key {
		char *path; /* in the image */
		char *text; /* hexadecimal digits */
		char *file; /* the key file on this machine */
	} * key;
	size_t count;
};

void volume_keys_free(struct volume_keys *keys);
static inline void volume_keys_free_cleanup(struct volume_keys *keys)
{
	volume_keys_free(keys);
}

/** The facts that only the running machine can tell. */
struct volumes_source {
	/** The table of device-mapper device @name: "START LENGTH TYPE PARAMETERS" lines. Owned by the caller, to be
	 *  wiped: it may hold a key. */
	struct kd_error *(*table)(const struct kd_sysroot *root, const char *name, char **ret);
	/** The key of the open LUKS volume @name as hexadecimal digits, by what [@offset, @offset + @size) of @file
	 *  holds (@size 0: to its end). Owned by the caller, to be wiped. */
	struct kd_error *(*key)(const char *name, const char *file, uint64_t offset, uint64_t size, char **ret);
};
extern const struct volumes_source volumes_live;

/** Append to @plan the volumes that make up the device of @target ("/dev/dm-0"), lowest first. A disk, a partition or a
 *  target without a device has none. KD_ERR_UNSUPPORTED: the capture could not assemble a volume; the message says
 *  what to do. */
struct kd_error *volumes_resolve(const struct kd_sysroot *root, const struct kd_log *log,
				 const struct volumes_source *source, const struct target *target, struct kd_plan *plan,
				 struct volume_keys *keys) MUST_CHECK;

/** Describe the present parts of volume @name in a text that can be compared later and holds no key. *ret is owned by
 *  the caller. KD_ERR_OS (ENXIO, ENOENT: the volume does not exist; EACCES: only root may read this). */
struct kd_error *volumes_describe(const struct kd_sysroot *root, const struct volumes_source *source, const char *name,
				  char **ret) MUST_CHECK;

#endif
