/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/device.h"

#include <blkid.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/sysroot.h"
#include "capture/uevent.h"

DEFINE_CLEANUP(blkid_probe, blkid_free_probe)

/* What libblkid calls the tags; NULL: the name is compared with the path of the device. */
static const char *const blkid_names[] = {
	[KD_DEVICE_PATH] = NULL,
	[KD_DEVICE_UUID] = "UUID",
	[KD_DEVICE_LABEL] = "LABEL",
	[KD_DEVICE_PARTUUID] = "PART_ENTRY_UUID",
	[KD_DEVICE_PARTLABEL] = "PART_ENTRY_NAME",
	[KD_DEVICE_UUID_SUB] = "UUID_SUB",
};

/* libblkid's safe probing reports nothing for a member of a RAID or for contradictory signatures. No target is better
 * than one that a write would damage. */
static bool bears(const char *node, const struct kd_device_name *tag)
{
	_cleanup_(blkid_free_probe) blkid_probe probe = NULL;
	const char *value;

	if (!blkid_names[tag->key])
		return strcmp(node, tag->value) == 0;
	probe = blkid_new_probe_from_filename(node);
	if (!probe)
		return false;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
	if (tag->key == KD_DEVICE_PARTUUID || tag->key == KD_DEVICE_PARTLABEL) {
		blkid_probe_enable_superblocks(probe, 0);
		blkid_probe_enable_partitions(probe, 1);
		blkid_probe_set_partitions_flags(probe, BLKID_PARTS_ENTRY_DETAILS);
	}
	if (blkid_do_safeprobe(probe) != 0 || blkid_probe_lookup_value(probe, blkid_names[tag->key], &value, NULL) < 0)
		return false;
	/* The case of a UUID does not matter (FAT, NTFS, GPT); that of a label does. */
	if (tag->key == KD_DEVICE_UUID || tag->key == KD_DEVICE_PARTUUID || tag->key == KD_DEVICE_UUID_SUB)
		return strcasecmp(value, tag->value) == 0;
	return strcmp(value, tag->value) == 0;
}

struct search {
	struct kd_device_name tag;
	bool (*take)(void *arg, const char *node);
	void *arg;
};

static bool consider(const struct search *search, const char *name)
{
	char node[300];
	char *p;

	snprintf(node, sizeof(node), "/dev/%s", name);
	for (p = node; (p = strchr(p, '!'));) /* sysfs writes '!' for a slash: cciss!c0d0 */
		*p = '/';
	return bears(node, &search->tag) && search->take(search->arg, node);
}

static bool scan(const struct search *search)
{
	/* There may be no block device before the first event. */
	_cleanup_closedir_ DIR *dir = opendir("/sys/class/block");
	bool taken = false;
	const char *name;

	while (dir && !taken && (name = kd_next_entry(dir)))
		taken = consider(search, name);
	return taken;
}

struct kd_error *device_wait(const char *text, int64_t deadline, bool (*take)(void *arg, const char *node), void *arg)
{
	struct search search = { .take = take, .arg = arg };
	_cleanup_close_ int events = -1;
	char message[8192];
	struct uevent event;
	struct kd_error *err;
	bool taken;

	if (!kd_device_name_parse(text, &search.tag))
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s is not a device", text);
	/* Listen before looking, so that a device that appears in between is not missed. */
	err = uevent_open(&events);
	if (err)
		return err;
	for (taken = scan(&search); !taken;) {
		switch (uevent_wait(events, deadline, message, sizeof(message), &event)) {
		case UEVENT_TIMEOUT:
			return kd_error_create(KD_ERR_TIMEOUT, "the device did not appear");
		case UEVENT_LOST:
			taken = scan(&search);
			break;
		case UEVENT_MESSAGE:
			if (event.subsystem && event.devname && strcmp(event.subsystem, "block") == 0 &&
			    strcmp(event.action, "remove") != 0)
				taken = consider(&search, event.devname);
			break;
		}
	}
	return NULL;
}
