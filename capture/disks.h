/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Disks that hang, and must not be touched again: a process that waits for one of them waits for ever; and disks that
 *  are pulled out while they are worked on. */
#ifndef CAPTURE_DISKS_H
#define CAPTURE_DISKS_H

#include <stdbool.h>

#include "base/sysroot.h"

enum { DISKS_MAX = 64, DISK_NAME_MAX = 64 };

struct disks {
	char name[DISKS_MAX][DISK_NAME_MAX]; /* below /sys/class/block */
	unsigned int count;
};

/** Add the disks that the device @node in /dev lies on: all those of a volume. Only sysfs is read. */
void disks_add(struct disks *disks, const struct kd_sysroot *root, const char *node);

/** Does the device @name of /sys/class/block lie on one of them? @disks may be NULL. */
bool disks_hold(const struct disks *disks, const struct kd_sysroot *root, const char *name);

/** Have all of them been pulled out? The kernel takes a disk's size away first (del_gendisk()), and then its entry in
 *  sysfs. Of a volume, one that is left counts: an array may do without the others. No disks have not gone. Only sysfs
 *  is read, which waits for no disk. */
bool disks_are_gone(const struct disks *disks, const struct kd_sysroot *root);

#endif
