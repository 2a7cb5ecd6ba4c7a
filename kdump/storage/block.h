/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What block devices of the healthy machine are and carry. base/block.h finds them by name; "node" as there. */
#ifndef KDUMP_STORAGE_BLOCK_H
#define KDUMP_STORAGE_BLOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"

/** The node with this number. KD_ERR_NOT_FOUND. */
struct kd_error *block_by_number(const struct kd_sysroot *root, dev_t number, char **ret) MUST_CHECK;

/** Does the node have this number? */
bool block_has_number(const struct kd_sysroot *root, const char *node, dev_t number);

/** The "UUID=…" of the file system on @node, read from the device, else from udev's links. *ret is owned by the caller,
 *  and NULL if there is none. */
struct kd_error *block_uuid(const struct kd_sysroot *root, const char *node, char **ret) MUST_CHECK;

/** Does @node carry @name, a tag that a person may write ("UUID=…", "PARTLABEL=…")? A path is not a tag. */
bool block_has_name(const struct kd_sysroot *root, const char *node, const char *name);

/** Another device that carries tag @name as @node does: a clone, a snapshot. One on which other devices stand does not
 *  count. *ret: its node, owned by the caller; NULL if there is none. */
struct kd_error *block_find_twin(const struct kd_sysroot *root, const char *node, const char *name,
				 char **ret) MUST_CHECK;

/** How the capture tells @node from all other devices (base/device_spec.h): by the volume or the disk that it lies on,
 * and by what is on it; if nothing is known of it, with a warning, the node itself. *ret is owned by the caller.
 *  KD_ERR_CONFIG: another device has the same UUID, and nothing else tells them apart. */
struct kd_error *block_identity(const struct kd_sysroot *root, const struct kd_log *log, const char *node,
				char **ret) MUST_CHECK;

/** The same for the container of dumps that @label ("UUID" or "UUID@OFFSET") names. What else is on @node is no
 *  matter. */
struct kd_error *block_container_identity(const struct kd_sysroot *root, const char *node, const char *label,
					  char **ret) MUST_CHECK;

/** What libblkid calls the contents of @node: a file system, a partition table, "swap", "LVM2_member" … *ret is owned
 *  by the caller; NULL: it has no name for them. */
char *block_signature(const struct kd_sysroot *root, const char *node);

/** Has @node partitions, or do other devices stand on it? */
bool block_has_parts(const struct kd_sysroot *root, const char *node);

/** The type of the file system on @node ("ext4"), owned by the caller. NULL if it is unknown. */
char *block_fs_type(const struct kd_sysroot *root, const char *node);

/** Is the device itself write-protected? */
bool block_is_read_only(const struct kd_sysroot *root, const char *node);

#endif
