/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/block.h"

#include <blkid.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/block.h"
#include "base/device_spec.h"
#include "base/parse.h"
#include "base/text.h"

DEFINE_CLEANUP(blkid_probe, blkid_free_probe)

struct kd_error *block_by_number(const struct kd_sysroot *root, dev_t number, char **ret)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	struct kd_error *err;
	char *line, *cursor;

	err = kd_format(&path, "/sys/dev/block/%u:%u/uevent", major(number), minor(number));
	if (err)
		return err;
	err = kd_sysroot_read(root, path, &text, NULL);
	if (err)
		return err;
	for (cursor = text; (line = strsep(&cursor, "\n"));)
		if (kd_starts_with(line, "DEVNAME="))
			return kd_format(ret, "/dev/%s", line + strlen("DEVNAME="));
	return kd_error_create(KD_ERR_NOT_FOUND, "%s%s does not name a device", root->prefix, path);
}

bool block_has_number(const struct kd_sysroot *root, const char *node, dev_t number)
{
	_cleanup_free_ char *directory = NULL, *text = NULL;
	char expected[32];

	snprintf(expected, sizeof(expected), "%u:%u", major(number), minor(number));
	return !kd_error_discard(kd_block_directory(root, node, &directory)) &&
	       !kd_error_discard(kd_sysroot_read_line(root, &text, "%s/dev", directory)) && strcmp(text, expected) == 0;
}

/* Read @value ("UUID", "TYPE") from the device itself; NULL if the device does not have it. */
static char *probe(const char *node, const char *value)
{
	_cleanup_(blkid_free_probe) blkid_probe pr = blkid_new_probe_from_filename(node);
	const char *data;

	if (!pr || blkid_probe_enable_superblocks(pr, true) ||
	    blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_UUID | BLKID_SUBLKS_TYPE) || blkid_do_safeprobe(pr) ||
	    blkid_probe_lookup_value(pr, value, &data, NULL))
		return NULL;
	return strdup(data);
}

struct kd_error *block_uuid(const struct kd_sysroot *root, const char *node, char **ret)
{
	_cleanup_free_ char *uuid = kd_sysroot_is_live(root) ? probe(node, "UUID") : NULL;

	/* Read the device first: if a file system has several devices, udev's link leads to only one of them. */
	if (!uuid)
		return kd_block_name(root, node, KD_DEVICE_UUID, ret);
	return kd_format(ret, "UUID=%s", uuid);
}

/* "KEY=value" in @name (NULL: nothing) becomes that condition of @spec. */
static struct kd_error *add_condition(struct kd_device_spec *spec, const char *name)
{
	struct kd_device_name parsed;

	if (!name || !kd_device_name_parse(name, &parsed))
		return NULL;
	return kd_set_text(&spec->value[parsed.key], parsed.value);
}

/* The volume or disk that device @name is, or lies on. */
static struct kd_error *add_place(const struct kd_sysroot *root, const char *name, struct kd_device_spec *spec)
{
	_cleanup_free_ char *disk = NULL, *dm = NULL, *level = NULL;

	if (kd_error_discard(kd_whole_disk(root, name, &disk)))
		return NULL; /* sysfs does not know it, so that nothing but its contents can be told */
	if (!kd_error_discard(kd_sysroot_read_line(root, &dm, "/sys/class/block/%s/dm/name", disk)))
		return kd_set_text(&spec->value[KD_DEVICE_VOLUME], dm);
	if (!kd_error_discard(kd_sysroot_read_line(root, &level, "/sys/class/block/%s/md/level", disk)))
		return kd_set_text(&spec->value[KD_DEVICE_VOLUME], disk);
	return kd_disk_identity(root, disk, &spec->value[KD_DEVICE_DISK]);
}

/* Where only the UUID tells the device, another one with the same UUID must not exist. */
static struct kd_error *check_unique(const struct kd_sysroot *root, const char *node, const struct kd_device_spec *spec)
{
	const char *uuid = spec->value[KD_DEVICE_UUID];
	_cleanup_closedir_ DIR *dir = NULL;
	const char *name;

	if (!uuid || spec->value[KD_DEVICE_VOLUME] || spec->value[KD_DEVICE_DISK] || !kd_sysroot_is_live(root))
		return NULL;
	dir = kd_sysroot_open_dir(root, "/sys/class/block");
	while (dir && (name = kd_next_entry(dir))) {
		_cleanup_free_ char *other = NULL, *found = NULL;
		struct kd_error *err = kd_format(&other, "/dev/%s", name);

		if (err)
			return err;
		if (strcmp(other, node) == 0 || kd_device_has_holders(root, name))
			continue;
		found = probe(other, "UUID");
		if (found && strcmp(found, uuid) == 0)
			return kd_error_create(KD_ERR_CONFIG,
					       "%s and %s have the same UUID %s, and %s tells no serial number: the "
					       "capture could write the wrong one. Give one of them a new UUID "
					       "(\"tune2fs -U random\", \"xfs_admin -U generate\", \"btrfstune -u\"), "
					       "or choose another dump target",
					       node, other, uuid, node);
	}
	return NULL;
}

struct kd_error *block_identity(const struct kd_sysroot *root, const struct kd_log *log, const char *node, char **ret)
{
	_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
	_cleanup_free_ char *partition = NULL, *contents = NULL;
	struct kd_error *err = add_place(root, node + strlen("/dev/"), &spec);

	if (!err)
		err = kd_block_name(root, node, KD_DEVICE_PARTUUID, &partition);
	if (!err)
		err = add_condition(&spec, partition);
	if (!err)
		err = block_uuid(root, node, &contents);
	if (!err)
		err = add_condition(&spec, contents);
	if (!err && kd_sysroot_is_live(root))
		spec.value[KD_DEVICE_UUID_SUB] = probe(node, "UUID_SUB");
	if (!err)
		err = check_unique(root, node, &spec);
	if (err)
		return err;
	for (size_t key = 0; key < KD_DEVICE_KEYS; key++)
		if (spec.value[key])
			return kd_device_spec_format(&spec, ret);
	kd_warn(log, "no UUID was found on %s, and its name may change before the crash", node);
	return kd_set_text(ret, node);
}

char *block_fs_type(const struct kd_sysroot *root, const char *node)
{
	return kd_sysroot_is_live(root) ? probe(node, "TYPE") : NULL;
}

bool block_is_read_only(const struct kd_sysroot *root, const char *node)
{
	_cleanup_free_ char *directory = NULL;
	uint64_t value = 0;

	if (!kd_error_discard(kd_block_directory(root, node, &directory)))
		kd_error_destroy(kd_sysroot_read_u64(root, 10, &value, "%s/ro", directory));
	return value != 0;
}
