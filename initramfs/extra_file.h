/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Files that an administrator wants in the image: configurations of hooks' programs, keys, firmware. */
#ifndef INITRAMFS_EXTRA_FILE_H
#define INITRAMFS_EXTRA_FILE_H

#include "base/error.h"
#include "base/sysroot.h"
#include "initramfs/image.h"

/** Can @path be added? KD_ERR_NOT_FOUND: it does not exist. KD_ERR_CONFIG: it is not the absolute path of a regular
 *  file, or the image has a file of its own there. Each message says what to do. */
struct kd_error *extra_file_check(const struct kd_sysroot *root, const char *path) MUST_CHECK;

/** Check @path and add the file to @image, with its mode and the modes of its directories. If links lead to it, it goes
 *  in under its canonical path, and @path becomes a link to that. */
struct kd_error *extra_file_add(const struct kd_sysroot *root, const char *path, struct image *image) MUST_CHECK;

#endif
