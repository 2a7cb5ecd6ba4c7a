/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Facts about volumes that only the running machine can tell; tests have others. */
#ifndef KDUMP_STORAGE_VOLUMES_SOURCE_H
#define KDUMP_STORAGE_VOLUMES_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sysroot.h"

/** Each *ret is owned by the caller, to be freed by kd_secret_free(). */
struct volumes_source {
	/** The table of device-mapper device @name: "START LENGTH TYPE PARAMETERS" lines. It may hold a key. */
	struct kd_error *(*table)(const struct kd_sysroot *root, const char *name, char **ret);
	/** The volume key of the open LUKS volume @name as hexadecimal digits, by what [@offset, @offset + @size) of
	 *  @file holds (@size 0: to its end). */
	struct kd_error *(*file_key)(const char *name, const char *file, uint64_t offset, uint64_t size, char **ret);
	/** The same, of @size bytes, out of the memory of the running kernel. */
	struct kd_error *(*kernel_key)(const char *name, size_t size, char **ret);
};
extern const struct volumes_source volumes_live;

#endif
