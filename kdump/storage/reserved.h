/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A file whose sectors are reserved for dumps. The capture writes them below the file system, which therefore must
 *  never move them: it is one that writes in place, the file was written once from end to end, and it is immutable, so
 *  that nobody moves, cuts or deletes it, and no program defragments it. */
#ifndef KDUMP_STORAGE_RESERVED_H
#define KDUMP_STORAGE_RESERVED_H

#include <linux/fiemap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/extents.h"
#include "base/sysroot.h"

/** Where the data of file @path lies on its device, and which device that is: *node is owned by the caller.
 *  KD_ERR_STATE: the file is not immutable or not root's alone; KD_ERR_UNSUPPORTED: its file system, or the way in
 *  which the file is stored, may move the data, or does not say where it is; KD_ERR_LIMIT: it is in too many pieces. */
struct kd_error *reserved_locate(const struct kd_sysroot *root, const char *path, struct kd_extents *ret,
				 char **node) MUST_CHECK;

/** The same as one text, to compare with. Owned by the caller. */
struct kd_error *reserved_describe(const struct kd_sysroot *root, const char *path, char **ret) MUST_CHECK;

/** Make the file @path of @size bytes, all of them written. It is not immutable yet. If this fails, there is no file.
 *  KD_ERR_STATE: it exists; KD_ERR_UNSUPPORTED: not on this file system; KD_ERR_LIMIT: not enough space; KD_ERR_OS. */
struct kd_error *reserved_make(const struct kd_sysroot *root, const char *path, uint64_t size) MUST_CHECK;

/** Make the open file @fd immutable, or writable again. */
struct kd_error *reserved_protect(int fd, const char *path, bool protect) MUST_CHECK;

/** The extents that the kernel has told of a file of @size bytes, as pieces of the device. Exported for the tests. */
struct kd_error *reserved_take_extents(const struct fiemap_extent *extent, size_t count, uint64_t size,
				       struct kd_extents *ret) MUST_CHECK;

#endif
