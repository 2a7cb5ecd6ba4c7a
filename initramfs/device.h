/* SPDX-License-Identifier: GPL-2.0-or-later */
/** From a target's name ("UUID=…", "LABEL=…", "PARTUUID=…", "/dev/…") to the block device in sysfs. */
#ifndef INITRAMFS_DEVICE_H
#define INITRAMFS_DEVICE_H

#include "base/error.h"
#include "base/sysroot.h"

/** @ret: the device's canonical directory, e.g. "/sys/devices/pci0000:00/0000:00:04.0/virtio1/block/vda/vda1";
 *  owned by the caller.
 *
 *  On the running machine libblkid finds the device and its number leads to sysfs. In a captured tree the links of
 *  /dev/disk/by-* do, and what they point to may be a plain file, as its name is enough to find it in sysfs.
 *  KD_ERR_NOT_FOUND: no such device. */
struct kd_error *device_find(const struct kd_sysroot *root, const char *spec, char **ret) MUST_CHECK;

#endif
