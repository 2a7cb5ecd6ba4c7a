/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/device.h"

#include <blkid.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/device_spec.h"
#include "capture/uevent.h"

DEFINE_CLEANUP(blkid_probe, blkid_free_probe)

struct search {
	const struct kd_sysroot *root;
	const char *text;
	struct kd_device_spec spec;
	enum device_use use;
	const struct disks *avoid;
};

/* --- is it this one? ---------------------------------------------------------------------------------------------- */

static void make_node(const char *name, char node[static DEVICE_NODE_MAX])
{
	char *p;

	snprintf(node, DEVICE_NODE_MAX, "/dev/%s", name);
	for (p = node; (p = strchr(p, '!'));) /* the way /sys writes a slash: cciss!c0d0 */
		*p = '/';
}

/* Is device @name where the plan has it? Nothing is read of the device but what sysfs says. */
static bool is_place(const struct search *search, const char *name)
{
	const char *path = search->spec.value[KD_DEVICE_PATH];
	char node[DEVICE_NODE_MAX];

	make_node(name, node);
	if (path && strcmp(node, path) != 0)
		return false;
	if (search->use == DEVICE_MOUNT && kd_device_has_holders(search->root, name))
		return false;
	return kd_device_is_place(search->root, name, &search->spec);
}

static const struct {
	enum kd_device_key key;
	const char *blkid_name;
	bool any_case; /* UUIDs are written in either case (FAT, NTFS, GPT); labels are not */
} contents[] = {
	{ KD_DEVICE_UUID, "UUID", true },
	{ KD_DEVICE_LABEL, "LABEL", false },
	{ KD_DEVICE_UUID_SUB, "UUID_SUB", true },
	{ KD_DEVICE_PARTUUID, "PART_ENTRY_UUID", true },
	{ KD_DEVICE_PARTLABEL, "PART_ENTRY_NAME", false },
};

/* Does device @name hold what the plan expects there? libblkid's safe probing tells nothing of a file system on a
 * member of a RAID, nor of contradictory signatures: rather no target than one that is damaged by writing to it. */
static bool has_contents(const struct search *search, const char *name)
{
	_cleanup_(blkid_free_probe) blkid_probe probe = NULL;
	_cleanup_free_ char *path = NULL;
	char node[DEVICE_NODE_MAX];
	bool wanted = false;

	for (size_t i = 0; i < ARRAY_SIZE(contents); i++)
		wanted = wanted || search->spec.value[contents[i].key];
	if (!wanted)
		return true;
	make_node(name, node);
	path = kd_sysroot_path(search->root, node);
	probe = path ? blkid_new_probe_from_filename(path) : NULL;
	if (!probe)
		return false;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
	blkid_probe_enable_partitions(probe, search->spec.value[KD_DEVICE_PARTUUID] ||
						     search->spec.value[KD_DEVICE_PARTLABEL]);
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_ENTRY_DETAILS);
	if (blkid_do_safeprobe(probe) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
		const char *expected = search->spec.value[contents[i].key], *found;

		if (!expected)
			continue;
		if (blkid_probe_lookup_value(probe, contents[i].blkid_name, &found, NULL) < 0 ||
		    (contents[i].any_case ? strcasecmp(found, expected) : strcmp(found, expected)) != 0)
			return false;
	}
	return true;
}

static bool is_wanted(const struct search *search, const char *name)
{
	return !disks_hold(search->avoid, search->root, name) && is_place(search, name) && has_contents(search, name);
}

/* --- looking for it ----------------------------------------------------------------------------------------------- */

/* Look at every device. *found: is it there? */
static struct kd_error *scan(const struct search *search, bool *found, char node[static DEVICE_NODE_MAX])
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(search->root, "/sys/class/block");
	const char *name;
	unsigned int count = 0;

	*found = false;
	/* Without the directory there is no block device yet; there is one when the first event comes. */
	while (dir && (name = kd_next_entry(dir))) {
		if (!is_wanted(search, name))
			continue;
		count++;
		make_node(name, node);
	}
	if (count > 1)
		return kd_error_create(KD_ERR_STATE,
				       "%u devices bear %s: none is written, since which is meant cannot be told",
				       count, search->text);
	*found = count == 1;
	return NULL;
}

static bool is_about(const struct search *search, const struct uevent *event)
{
	return event->subsystem && event->devname && strcmp(event->subsystem, "block") == 0 &&
	       strcmp(event->action, "remove") != 0 && is_wanted(search, event->devname);
}

static struct kd_error *look(const struct search *search, int64_t deadline, char node[static DEVICE_NODE_MAX])
{
	_cleanup_close_ int events = -1;
	char message[8192];
	struct uevent event;
	bool found;
	/* First listen, then look: what appears in between is not missed. */
	struct kd_error *err = uevent_open(&events);

	if (!err)
		err = scan(search, &found, node);
	while (!err && !found) {
		switch (uevent_wait(events, deadline, message, sizeof(message), &event)) {
		case UEVENT_TIMEOUT:
			return kd_error_create(KD_ERR_TIMEOUT, "it did not appear");
		case UEVENT_LOST:
			err = scan(search, &found, node);
			break;
		case UEVENT_MESSAGE:
			/* There may be another like it by now. */
			if (is_about(search, &event))
				err = scan(search, &found, node);
			break;
		}
	}
	return err;
}

struct kd_error *device_wait(const struct kd_sysroot *root, const char *text, enum device_use use,
			     const struct disks *avoid, int64_t deadline, char node[static DEVICE_NODE_MAX])
{
	struct search search = { .root = root, .text = text, .use = use, .avoid = avoid };
	struct kd_error *err = kd_device_spec_parse(text, &search.spec);

	if (!err)
		err = look(&search, deadline, node);
	kd_device_spec_free(&search.spec);
	return err;
}
