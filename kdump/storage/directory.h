/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Where a path leads, also if the last part of the way does not exist (yet). */
#ifndef KDUMP_STORAGE_DIRECTORY_H
#define KDUMP_STORAGE_DIRECTORY_H

#include <stdbool.h>

#include "base/error.h"
#include "base/sysroot.h"

/** Follow every symbolic link of @path (absolute), those that lead to nothing included. *ret is owned by the caller.
 *  KD_ERR_OS. */
struct kd_error *directory_follow(const struct kd_sysroot *root, const char *path, char **ret) MUST_CHECK;

/** Is @path a directory? If something is to be mounted there as soon as it is opened (an automount), it is now. */
bool directory_exists(const struct kd_sysroot *root, const char *path);

/** Can the capture create files in directory @path of this machine? One that does not exist can be created.
 *  KD_ERR_UNSUPPORTED: its file system encrypts it; KD_ERR_STATE: it is protected from changes. */
struct kd_error *directory_check_usable(const struct kd_sysroot *root, const char *path) MUST_CHECK;

#endif
