/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The machine's mount table (/proc/self/mountinfo) and /etc/fstab, as plain data. */
#ifndef KDUMP_STORAGE_MOUNTS_H
#define KDUMP_STORAGE_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/sysroot.h"

struct mount {
	int id, parent; /* 0 in fstab */
	dev_t number;   /* of the device; major 0 for btrfs and for what has none; 0 in fstab */
	char *root;     /* the mounted directory, from the top of the file system; "/" in fstab */
	char *mount_point;
	char *type;
	char *source;  /* "/dev/vda1", "UUID=…" (fstab) … */
	char *options; /* of the mount and of the file system, comma separated */
	bool read_only;
};

struct mounts {
	struct mount *mount;
	size_t count;
};

/** KD_ERR_OS, KD_ERR_FORMAT. A missing fstab has no entries. */
struct kd_error *mounts_load(const struct kd_sysroot *root, struct mounts *ret) MUST_CHECK;
struct kd_error *mounts_load_fstab(const struct kd_sysroot *root, struct mounts *ret) MUST_CHECK;

/** The mounts that process 1 has, and so the machine; a sandboxed unit has others (ProtectSystem=, PrivateTmp=). Where
 *  process 1 is not to be seen: KD_ERR_OS (ENOENT, EACCES). In a captured tree without it, as mounts_load(). */
struct kd_error *mounts_load_system(const struct kd_sysroot *root, struct mounts *ret) MUST_CHECK;

/** Does this process see other mounts than process 1, as far as can be told? */
bool mounts_are_private(const struct kd_sysroot *root);

/** A zeroed struct is allowed. */
void mounts_free(struct mounts *mounts);
static inline void mounts_free_cleanup(struct mounts *mounts)
{
	mounts_free(mounts);
}

/** The mount through which the kernel reaches @path (canonical, absolute). A mount that a later one hides does not
 *  count. NULL if there is none, as in a chroot. */
const struct mount *mounts_find(const struct mounts *mounts, const char *path);

/** The rest of @path below directory @dir: "/rest", "" if both are the same, or NULL if @path is not below @dir. */
const char *path_below(const char *path, const char *dir);

/** "/a" and "/b/c" to "/a/b/c"; either may be "/" or "". NULL: no memory. */
char *path_join(const char *dir, const char *rest);

#endif
