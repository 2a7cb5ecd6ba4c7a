/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Devices that a file system needs besides the one that is mounted: an external log or journal, a realtime device,
 *  members of its own. The capture mounts a target by one device, so a file system that needs others is refused at
 *  start. */
#ifndef KDUMP_STORAGE_EXTERNAL_H
#define KDUMP_STORAGE_EXTERNAL_H

#include "base/error.h"
#include "base/sysroot.h"

/** Look for such devices in @options, with which the file system is or would be mounted, and in its superblock on
 *  @node, if that can be read. KD_ERR_UNSUPPORTED: there is one; the message says which, and what to do. */
struct kd_error *external_check(const struct kd_sysroot *root, const char *type, const char *node,
				const char *options) MUST_CHECK;

#endif
