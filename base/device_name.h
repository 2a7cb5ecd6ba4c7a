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
	KD_DEVICE_UUID_SUB, /* one member of an array, all of whose members carry the same UUID; in plans only */
};

struct kd_device_name {
	enum kd_device_key key;
	const char *value; /* a part of the parsed text; of a path, the whole */
};

/** "/dev/vda1", "UUID=…", "LABEL=…", "PARTUUID=…", "PARTLABEL=…" or "UUID_SUB=…". False: @text has none of these
 *  forms, or nothing follows the prefix. */
bool kd_device_name_parse(const char *text, struct kd_device_name *ret);

/** How a name of @key begins: "UUID=". */
const char *kd_device_key_prefix(enum kd_device_key key);

/** The forms that a person may write, for messages. */
#define KD_DEVICE_FORMS "/dev/…, UUID=…, LABEL=…, PARTUUID=… or PARTLABEL=…"

#endif
