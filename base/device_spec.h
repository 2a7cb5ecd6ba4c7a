/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Which block device is meant: conditions that all must hold, as words with commas between them.
 *
 *      volume:vg-root,UUID=5b6d0c1e-…               the volume that the plan puts together, with that file system
 *      DISK=naa.5000c500a1b2c3d4,PARTUUID=…,UUID=…  a partition of that disk, with that file system
 *      UUID=5b6d0c1e-…                              any device that holds that file system
 *      PATHS=naa.600a0b80000d1e2f                   any of the devices that are paths to that disk, which are all alike
 *      DISK=…,CONTAINER=0c0ffee0-…@1048576          that disk, with the label of that container of dumps at this byte
 *
 *  A file system's UUID alone does not say which device is meant: a copy has the same, and a mirror's leg shows the
 *  superblock of the mirror. So the plan names the place as well, and both have to agree.
 */
#ifndef BASE_DEVICE_SPEC_H
#define BASE_DEVICE_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/device_name.h"
#include "base/error.h"
#include "base/sysroot.h"

/** A value is owned; NULL: not asked for. */
struct kd_device_spec {
	char *value[KD_DEVICE_KEYS];
};

/** Does @word begin as one of the conditions does? (Other words of volumes' tables do not.) */
bool kd_device_spec_is(const char *word);

/** Parse @text. KD_ERR_FORMAT: not of the forms above. */
struct kd_error *kd_device_spec_parse(const char *text, struct kd_device_spec *ret) MUST_CHECK;

/** The text of @spec, owned by the caller: what kd_device_spec_parse() takes. */
struct kd_error *kd_device_spec_format(const struct kd_device_spec *spec, char **ret) MUST_CHECK;

/** A zeroed struct is allowed. */
void kd_device_spec_free(struct kd_device_spec *spec);
static inline void kd_device_spec_free_cleanup(struct kd_device_spec *spec)
{
	kd_device_spec_free(spec);
}

/** The name below /sys/class/block of the disk that @name is a partition of, or @name itself. Owned by the caller. */
struct kd_error *kd_whole_disk(const struct kd_sysroot *root, const char *name, char **ret) MUST_CHECK;

/** The World Wide Identifier or the serial number of disk @name (not of a partition). Every kernel reads the same one,
 *  in whatever order it finds the disks. *ret is owned by the caller, and NULL if the disk tells neither. A virtio disk
 *  is asked for its serial number: a dead one may take as long to answer as for any other request. */
struct kd_error *kd_disk_identity(const struct kd_sysroot *root, const char *name, char **ret) MUST_CHECK;

/** The container that @spec asks for: *uuid is owned by the caller, and NULL if it asks for none; *offset, in bytes of
 *  the device, is where its label lies. KD_ERR_FORMAT. */
struct kd_error *kd_device_container(const struct kd_device_spec *spec, char **uuid, uint64_t *offset) MUST_CHECK;

/** Is the label of that container on the device or file @fd? True if @spec asks for none. */
bool kd_device_has_container(int fd, const struct kd_device_spec *spec);

/** Is device @name where @spec has it: on that volume or disk? True if @spec names neither. */
bool kd_device_is_place(const struct kd_sysroot *root, const char *name, const struct kd_device_spec *spec);

/** Do other devices stand on device @name (a RAID, LVM, an encrypted volume)? Then its contents are theirs. */
bool kd_device_has_holders(const struct kd_sysroot *root, const char *name);

#endif
