/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A directory of an NFS server as a target: its address, and the options by which capture mounts it. */
#ifndef KDUMP_STORAGE_NFS_H
#define KDUMP_STORAGE_NFS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/storage/mounts.h"
#include "kdump/storage/target.h"

/** Is @type a file system of an NFS server, as mountinfo names it ("nfs", "nfs4")? */
bool nfs_is_type(const char *type);

/** @request names "SERVER:/EXPORT". If it is mounted, the mount tells the address and the version of the protocol; else
 *  the name is resolved and the export mounted for a moment, without a mount point. Errors as target_resolve(). */
struct kd_error *nfs_resolve(const struct kd_sysroot *root, const struct target_request *request,
			     const struct mounts *mounts, struct target *target) MUST_CHECK;

/** The directory @path of this machine lies on @mount, which is of such a type. */
struct kd_error *nfs_take_path(const struct target_request *request, const struct mount *mount, const char *path,
			       struct target *target) MUST_CHECK;

#endif
