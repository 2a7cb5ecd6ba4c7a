/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Where the dump goes: the configuration's words turned into something that the capture kernel can mount without
 *  asking anybody: a file system by a name that stays, its mount options, and the directory's path on it.
 *
 *  All of it is looked up below a system root, and what can be wrong later is checked now: the device is there, has
 *  the type that was named, is not read-only, and the directory exists.
 */
#ifndef KDUMP_STORAGE_TARGET_H
#define KDUMP_STORAGE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"

/** Where dumps go if nothing is configured. This directory need not exist: see kdumpctl start. */
#define TARGET_DEFAULT_PATH "/var/crash"

/** Where the dump shall go, in the words of the configuration; kd_conf_target() makes one. */
struct target_request {
	const char *type;   /* a type of base/target_types.c; NULL: the file system that @path lies on */
	const char *device; /* as base/device_name.h has it, or a tag; NULL with @type NULL */
	const char *path;   /* of the directory: on the target, or on this machine if @type is NULL */
	const char *file;   /* which says so, for messages */
	unsigned int line;  /* of @file, that names the target */
};

struct target {
	char *type;         /* "ext4" … */
	char *device;       /* "UUID=…", or "/dev/…" if the file system has no UUID; virtiofs: the tag */
	char *options;      /* mount options for the capture; "" for none */
	char *path;         /* directory, from the top of that file system */
	char *node;         /* "/dev/vda1", now; NULL: not on a block device */
	char *mount_point;  /* where it is mounted now; NULL: nowhere */
	char *directory;    /* path of the directory on this machine now; NULL: not mounted */
	uint64_t available; /* bytes that can be written; UINT64_MAX: not known */
};

/** Resolve @request. Nothing is written.
 *  KD_ERR_NOT_FOUND (device or directory missing), KD_ERR_CONFIG (not the type that was named; neither mounted nor in
 *  fstab), KD_ERR_UNSUPPORTED (a file system that cannot take a dump), KD_ERR_STATE (read-only). Each text says what
 *  to do. */
struct kd_error *target_resolve(const struct kd_sysroot *root, const struct target_request *request,
				const struct kd_log *log, struct target *ret) MUST_CHECK;

/** What failure_action dump_to_rootfs means: path on the file system that has it here, as if no target was named.
 * Errors as above. */
struct kd_error *target_resolve_rootfs(const struct kd_sysroot *root, const struct target_request *request,
				       const struct kd_log *log, struct target *ret) MUST_CHECK;

/** A zeroed struct is allowed. */
void target_free(struct target *target);
static inline void target_free_cleanup(struct target *target)
{
	target_free(target);
}

#endif
