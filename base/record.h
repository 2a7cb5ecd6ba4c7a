/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Small files that kdumpctl leaves for its next run, in KD_RUNDIR and in /var/lib/kdump.
 *
 *  A record counts only if root alone can have written it, and its directory (base/trust.h). A record or directory that
 *  is somebody else's is an error, so that a forgery is noticed. Paths are absolute and below the root. */
#ifndef BASE_RECORD_H
#define BASE_RECORD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/sysroot.h"

#define KD_RUNDIR "/run/kdump"

/** Read a record; a NUL follows the content. KD_ERR_OS, errnum ENOENT: there is none. KD_ERR_STATE: somebody else can
 *  have written it. KD_ERR_LIMIT: it is larger than 16 MiB. */
struct kd_error *kd_record_read(const struct kd_sysroot *root, const char *path, char **ret) MUST_CHECK;
/** Open it instead. */
struct kd_error *kd_record_open(const struct kd_sysroot *root, const char *path, int *fd_ret) MUST_CHECK;

/** Replace a record, as kd_write_file_atomic() does. Its directory is created if it does not exist. */
struct kd_error *kd_record_write(const struct kd_sysroot *root, const char *path, const void *data, size_t size,
				 mode_t mode) MUST_CHECK;

/** Create the directory of the record @path, with mode 0755, unless it exists. *fd_ret := the directory, for openat(2)
 *  and its like only. KD_ERR_STATE: it is somebody else's, or others can write to it. */
struct kd_error *kd_record_directory(const struct kd_sysroot *root, const char *path, int *fd_ret) MUST_CHECK;

#endif
