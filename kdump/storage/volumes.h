/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What a block device is made of, as volumes of the plan: the device-mapper tables and RAID members of the healthy
 *  machine, with device numbers (which change) replaced by what the devices bear, and keys by references.
 *
 *  Encrypted volumes are taken only if crypttab(5) names a key file for them: then this machine opens them without
 *  anybody's help anyway. The volume key that the file opens goes into the capture's image (mode 0600), so that the
 *  capture kernel needs neither the file nor the memory that LUKS takes to check it. */
#ifndef KDUMP_STORAGE_VOLUMES_H
#define KDUMP_STORAGE_VOLUMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "kdump/storage/target.h"

/** Keys on their way into the image. */
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

/** What only the running machine can say. */
struct volumes_source {
	/** The table of device-mapper device @name: "START LENGTH TYPE PARAMETERS" lines. Owned by the caller, to be
	 *  wiped: it may hold a key. */
	struct kd_error *(*table)(const struct kd_sysroot *root, const char *name, char **ret);
	/** The key of the open LUKS volume @name as hexadecimal digits, by what [@offset, @offset + @size) of @file
	 *  holds (@size 0: to its end). Owned by the caller, to be wiped. */
	struct kd_error *(*key)(const char *name, const char *file, uint64_t offset, uint64_t size, char **ret);
};
extern const struct volumes_source volumes_live;

/** Append to @plan what the device of @target ("/dev/dm-0") and what it stands on is made of, lowest first. Nothing is
 *  done for a disk or partition, or where there is no device. KD_ERR_UNSUPPORTED: a volume that the capture could not
 * put together; the text says what to do. */
struct kd_error *volumes_resolve(const struct kd_sysroot *root, const struct kd_log *log,
				 const struct volumes_source *source, const struct target *target, struct kd_plan *plan,
				 struct volume_keys *keys) MUST_CHECK;

/** What volume @name is made of at this moment, as text to be compared later, without any key. *ret is owned by the
 *  caller. KD_ERR_OS (ENXIO, ENOENT: there is no such volume; EACCES: only root is told). */
struct kd_error *volumes_describe(const struct kd_sysroot *root, const struct volumes_source *source, const char *name,
				  char **ret) MUST_CHECK;

#endif
