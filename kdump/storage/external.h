/* SPDX-License-Identifier: GPL-2.0-or-later */
/** File systems that need more than the device that is mounted: external logs and journals, realtime devices, btrfs of
 *  several devices. */
#ifndef KDUMP_STORAGE_EXTERNAL_H
#define KDUMP_STORAGE_EXTERNAL_H

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/storage/target.h"

/** Find the further devices of the file system @type on @node, which is or would be mounted with @options: they become
 *  parts of @target, and its mount options refer to them. What only the superblock tells needs a readable @node.
 *  KD_ERR_UNSUPPORTED: a device cannot be found; KD_ERR_LIMIT: there are too many. The text says what to do. */
struct kd_error *external_find(const struct kd_sysroot *root, const char *type, const char *node, const char *options,
			       struct target *target) MUST_CHECK;

#endif
