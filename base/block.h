/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Block devices of the healthy machine by the names of base/device_name.h. A "node" is the kernel's own name of the
 *  device: "/dev/dm-0".
 *
 *  The rules are the same for the running machine and for a captured tree, except for the last step of the search:
 *  1. A path is followed through its symbolic links ("/dev/mapper/root" leads to "/dev/dm-0").
 *  2. A tag is looked up among udev's links in /dev/disk. The text of the link tells the node; a captured tree need
 *     not contain the node. udev has settled by its priorities which of several devices with one tag is meant.
 *  3. On the running machine, libblkid reads the devices if there is no such link (no udev, or udev is late).
 *
 *  Programs that use this link libblkid. */
#ifndef BASE_BLOCK_H
#define BASE_BLOCK_H

#include "base/device_name.h"
#include "base/error.h"
#include "base/sysroot.h"

/** The node that @name names: a name of base/device_name.h, or several conditions (base/device_spec.h), of which place
 * and contents are looked at as far as sysfs and udev tell; a place whose contents are elsewhere now is its whole disk.
 * The value of a tag may stand in quotes, as in fstab(5). KD_ERR_NOT_FOUND. *ret is owned by the caller. */
struct kd_error *kd_block_find(const struct kd_sysroot *root, const char *name, char **ret) MUST_CHECK;

/** The name by @key, a tag, that udev's links give to @node. *ret is owned by the caller, and NULL if there is none. */
struct kd_error *kd_block_name(const struct kd_sysroot *root, const char *node, enum kd_device_key key,
			       char **ret) MUST_CHECK;

/** The canonical directory of @node in sysfs, "/sys/devices/pci0000:00/0000:00:04.0/virtio1/block/vda/vda1": by its
 *  number where the node is a device, else by its name. *ret is owned by the caller. KD_ERR_NOT_FOUND: sysfs has no
 *  such block device. */
struct kd_error *kd_block_directory(const struct kd_sysroot *root, const char *node, char **ret) MUST_CHECK;

#endif
