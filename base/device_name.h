/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The names that configurations, fstab and plans give to block devices: a path below /dev, or a tag that the device or
 *  its partition table carries. base/block.h finds the device on the healthy machine, capture/device.h in the capture
 *  kernel. */
#ifndef BASE_DEVICE_NAME_H
#define BASE_DEVICE_NAME_H

#include <stdbool.h>

enum kd_device_key {
	KD_DEVICE_PATH,
	KD_DEVICE_UUID,
	KD_DEVICE_LABEL,
	KD_DEVICE_PARTUUID,
	KD_DEVICE_PARTLABEL,
	/* From here on in plans only. */
	KD_DEVICE_UUID_SUB,  /* one member of an array, all of whose members carry the same UUID */
	KD_DEVICE_CONTAINER, /* a container of dumps, by "UUID" at its beginning or "UUID@OFFSET" further on */
	KD_DEVICE_VOLUME,    /* a volume that the plan puts together, by its name */
	KD_DEVICE_DISK,      /* a disk, by kd_disk_identity() */
	KD_DEVICE_PATHS,     /* the same, and any of the devices that lead to that disk will do */
	KD_DEVICE_KEYS,
};

struct kd_device_name {
	enum kd_device_key key;
	const char *value; /* a part of the parsed text; of a path, the whole */
};

/** "/dev/vda1", "UUID=…", "LABEL=…", "PARTUUID=…", "PARTLABEL=…", "UUID_SUB=…", "volume:…", "DISK=…", "PATHS=…" or
 *  "CONTAINER=…". False: @text has none of these forms, or nothing follows the prefix. */
bool kd_device_name_parse(const char *text, struct kd_device_name *ret);

/** May a person write a name of this kind? */
static inline bool kd_device_key_is_public(enum kd_device_key key)
{
	return key < KD_DEVICE_UUID_SUB;
}

/** How a name of @key begins: "UUID=". */
const char *kd_device_key_prefix(enum kd_device_key key);

/** The forms that a person may write, for messages. */
#define KD_DEVICE_FORMS "/dev/…, UUID=…, LABEL=…, PARTUUID=… or PARTLABEL=…"

#endif
