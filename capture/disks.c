/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/disks.h"

#include <stdio.h>
#include <string.h>

#include "base/device_spec.h"
#include "base/text.h"

#define DEPTH_MAX 8 /* of volumes on volumes */

static bool has(const struct disks *disks, const char *name)
{
	unsigned int i;

	for (i = 0; i < disks->count && strcmp(disks->name[i], name) != 0; i++)
		;
	return i < disks->count;
}

static void add(struct disks *disks, const char *name)
{
	if (!has(disks, name) && disks->count < DISKS_MAX && strlen(name) < DISK_NAME_MAX)
		strcpy(disks->name[disks->count++], name);
}

static void add_below(struct disks *disks, const struct kd_sysroot *root, const char *name, unsigned int depth)
{
	_cleanup_free_ char *disk = NULL, *slaves = NULL;
	_cleanup_closedir_ DIR *dir = NULL;
	const char *lower;
	bool volume = false;

	/* A device that sysfs does not know has no parts. */
	if (kd_error_discard(kd_whole_disk(root, name, &disk)))
		return add(disks, name);
	if (depth < DEPTH_MAX && !kd_error_discard(kd_format(&slaves, "/sys/class/block/%s/slaves", disk)))
		dir = kd_sysroot_open_dir(root, slaves);
	while (dir && (lower = kd_next_entry(dir))) {
		add_below(disks, root, lower, depth + 1);
		volume = true;
	}
	if (!volume)
		add(disks, disk);
}

void disks_add(struct disks *disks, const struct kd_sysroot *root, const char *node)
{
	char name[DISK_NAME_MAX], *p;

	if (strncmp(node, "/dev/", 5) != 0)
		return; /* a tag, a server */
	snprintf(name, sizeof(name), "%s", node + 5);
	for (p = name; (p = strchr(p, '/'));) /* the way /sys writes a slash */
		*p = '!';
	add_below(disks, root, name, 0);
}

bool disks_hold(const struct disks *disks, const struct kd_sysroot *root, const char *name)
{
	struct disks own = { .count = 0 };
	unsigned int i;

	if (!disks || !disks->count)
		return false;
	add_below(&own, root, name, 0);
	for (i = 0; i < own.count && !has(disks, own.name[i]); i++)
		;
	return i < own.count;
}

static bool is_gone(const struct kd_sysroot *root, const char *name)
{
	uint64_t size;

	return kd_error_discard(kd_sysroot_read_u64(root, 10, &size, "/sys/class/block/%s/size", name)) || !size;
}

bool disks_are_gone(const struct disks *disks, const struct kd_sysroot *root)
{
	unsigned int i;

	for (i = 0; i < disks->count && is_gone(root, disks->name[i]); i++)
		;
	return disks->count && i == disks->count;
}
