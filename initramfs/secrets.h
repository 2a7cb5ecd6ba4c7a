/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Files with secrets, for the memory of the capture kernel alone: a cpio archive that the loader puts behind the image
 *  (Linux Documentation/driver-api/early-userspace/buffer-format.rst: one archive may follow another). It is written by
 *  hand, since the buffers of a library would keep the secrets. */
#ifndef INITRAMFS_SECRETS_H
#define INITRAMFS_SECRETS_H

#include <stddef.h>

#include "base/error.h"

struct secret_file {
	const char *path; /* absolute */
	const void *data;
	size_t size; /* bytes, less than 4 GiB */
};

/** The archive of @count files with mode 0600, and of the directories that they are in. *ret is owned by the caller, to
 *  be freed by kd_secret_free(). No file, no archive: *ret is NULL and *size_ret 0. */
struct kd_error *secrets_archive(const struct secret_file *file, size_t count, char **ret, size_t *size_ret) MUST_CHECK;

#endif
