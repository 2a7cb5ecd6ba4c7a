/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The dump target: from the words of the configuration to the facts by which the capture kernel mounts it: a name of
 *  the device that does not change, mount options, and the path of the directory on the file system.
 *
 *  All of this is looked up below a system root. What could fail after the crash is checked now: the device exists,
 *  holds the type that was named and is not read-only, and the directory exists. */
#ifndef KDUMP_STORAGE_TARGET_H
#define KDUMP_STORAGE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"

/** Dumps go here if the configuration names no place. "kdumpctl start" creates this directory if it is missing. */
#define TARGET_DEFAULT_PATH "/var/crash"

/** How servers of objects are reached and used. A field is NULL if the configuration does not say it. */
struct target_access {
	char *http_credentials, *s3_credentials; /* files */
	char *tls_ca;                            /* file of the certificates that are trusted; the system's */
	char *s3_endpoint;                       /* URL; that of AWS in the region */
	char *s3_region;                         /* us-east-1 */
	char *s3_style; /* "virtual": the bucket is a part of the host's name, as for AWS; "path": of the path */
};

/** The dump target in the words of the configuration; kd_conf_target() makes one. */
struct target_request {
	const char *type;   /* a type of base/target_types.c; NULL: the file system that @path lies on */
	const char *device; /* as base/device_name.h has it, or a tag; NULL with @type NULL */
	const char *path;   /* of the directory: on the target, or on this machine if @type is NULL or a container;
			     * NULL: of a container that is not the first target */
	const char *key;    /* of ssh; NULL: the usual one */
	const struct target_access *access; /* of http and s3; NULL: nothing is given */
	const char *file;                   /* that says so, for messages */
	unsigned int line;                  /* of @file, that names the target */
	bool mounted;                       /* only as it is mounted here: no NFS server is asked */
};

enum { TARGET_NEEDS = 8, TARGET_PARTS = 15 };

/** A device that the target's file system has beside the one that is mounted. */
struct target_part {
	const char *option; /* of mount(2), that names it */
	char *name;         /* in the plan */
	char *node;         /* "/dev/vdb1", now; NULL: there are no more */
};

struct target {
	char *type;   /* "ext4" … */
	char *device; /* base/device_spec.h: "UUID=…", or "/dev/…" if the file system has no UUID; virtiofs: the tag;
			     * nfs: "ADDRESS:/EXPORT" */
	char *options; /* mount options for the capture, with those for the parts; "" for none */
	struct target_part part[TARGET_PARTS];
	char *path;        /* directory, from the top of that file system */
	char *server;      /* address of the server that has it; NULL: it is a part of this machine */
	char *server_name; /* as configured, which may have further addresses; NULL: nobody has named it */
	char *reserved;    /* the file whose sectors it is; NULL: it is not a reserved file */
	char *node;        /* "/dev/vda1", now; NULL: the target is not a block device */
	char *mount_point; /* of the target now; NULL: it is not mounted */
	char *directory;   /* path of the directory on this machine now; NULL: not mounted. Of a container: where the
				   * next boot moves the dumps to */
	char *need[TARGET_NEEDS]; /* files that the image must have for it; NULL: no more */
	uint64_t available;       /* free bytes; UINT64_MAX: unknown */
};

/** Resolve @request. Nothing is written.
 *  KD_ERR_NOT_FOUND (device or directory missing; neither mounted nor in fstab), KD_ERR_STATE (read-only; a server that
 *  refuses), KD_ERR_OS (unreachable), KD_ERR_CONFIG (not the type that was named; a device that others need),
 *  KD_ERR_UNSUPPORTED (a file system that cannot take a dump). The first three may pass by themselves
 *  (kdump/arming/chain.h). Each message says what to do. */
struct kd_error *target_resolve(const struct kd_sysroot *root, const struct target_request *request,
				const struct kd_log *log, struct target *ret) MUST_CHECK;

/** Add @path to the files that the image must have for @target. KD_ERR_LIMIT. */
struct kd_error *target_need(struct target *target, const char *path) MUST_CHECK;

/** A zeroed struct is allowed. */
void target_free(struct target *target);
static inline void target_free_cleanup(struct target *target)
{
	target_free(target);
}

#endif
