/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/block.h"

#include <blkid.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/block.h"
#include "base/container.h"
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
static char *probe(const struct kd_sysroot *root, const char *node, const char *value)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, node, O_RDONLY | O_NONBLOCK);
	_cleanup_(blkid_free_probe) blkid_probe pr = fd < 0 ? NULL : blkid_new_probe();
	const char *data;

	/* A partition has a UUID whatever is on it, or nothing. */
	if (!pr || blkid_probe_set_device(pr, fd, 0, 0) ||
	    blkid_probe_enable_superblocks(pr, !kd_starts_with(value, "PART_")) ||
	    blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL | BLKID_SUBLKS_TYPE) ||
	    blkid_probe_enable_partitions(pr, kd_starts_with(value, "PART_")) ||
	    blkid_probe_set_partitions_flags(pr, BLKID_PARTS_ENTRY_DETAILS) || blkid_do_safeprobe(pr) < 0 ||
	    blkid_probe_lookup_value(pr, value, &data, NULL))
		return NULL;
	return strdup(data);
}

/* What @node carries as @key, read from the device, else from udev's links. *ret is owned by the caller, and NULL if
 * there is nothing. */
static struct kd_error *read_key(const struct kd_sysroot *root, const char *node, enum kd_device_key key, char **ret)
{
	static const char *const blkid_names[KD_DEVICE_KEYS] = {
		[KD_DEVICE_UUID] = "UUID",
		[KD_DEVICE_LABEL] = "LABEL",
		[KD_DEVICE_PARTUUID] = "PART_ENTRY_UUID",
		[KD_DEVICE_PARTLABEL] = "PART_ENTRY_NAME",
		[KD_DEVICE_UUID_SUB] = "UUID_SUB",
	};
	_cleanup_free_ char *name = NULL;
	struct kd_error *err;

	/* Read the device first: udev's link leads to only one of several devices. */
	*ret = probe(root, node, blkid_names[key]);
	if (*ret || !kd_device_key_is_public(key))
		return NULL;
	err = kd_block_name(root, node, key, &name);
	return err || !name ? err : kd_set_text(ret, name + strlen(kd_device_key_prefix(key)));
}

struct kd_error *block_uuid(const struct kd_sysroot *root, const char *node, char **ret)
{
	_cleanup_free_ char *uuid = NULL;
	struct kd_error *err = read_key(root, node, KD_DEVICE_UUID, &uuid);

	*ret = NULL;
	return err || !uuid ? err : kd_format(ret, "UUID=%s", uuid);
}

/* --- several devices with one name -------------------------------------------------------------------------------- */

/* Does @node carry @value as @key? NULL: it has to carry nothing. */
static bool has_value(const struct kd_sysroot *root, const char *node, enum kd_device_key key, const char *value)
{
	_cleanup_free_ char *found = NULL;

	if (kd_error_discard(read_key(root, node, key, &found)))
		return false;
	return found && value ? strcmp(found, value) == 0 : !found && !value;
}

bool block_has_name(const struct kd_sysroot *root, const char *node, const char *name)
{
	_cleanup_free_ char *value = NULL;
	struct kd_device_name parsed;
	size_t length;

	if (!kd_device_name_parse(name, &parsed) || parsed.key == KD_DEVICE_PATH ||
	    !kd_device_key_is_public(parsed.key))
		return false;
	/* Quotes as in fstab(5). */
	length = strlen(parsed.value);
	if (length > 2 && strchr("\"'", *parsed.value) && parsed.value[length - 1] == *parsed.value)
		value = strndup(parsed.value + 1, length - 2);
	return has_value(root, node, parsed.key, value ? value : parsed.value);
}

typedef bool is_like(const struct kd_sysroot *root, const char *node, const void *arg);

/* Find a device other than @node that is alike and on which no other device stands. *ret: its node, owned by the
 * caller; NULL: there is none. */
static struct kd_error *find_other(const struct kd_sysroot *root, const char *node, is_like *alike, const void *arg,
				   char **ret)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, "/sys/class/block");
	const char *name;

	*ret = NULL;
	while (dir && (name = kd_next_entry(dir))) {
		_cleanup_free_ char *other = NULL;
		struct kd_error *err = kd_format(&other, "/dev/%s", name);

		if (err)
			return err;
		if (strcmp(other, node) == 0 || kd_device_has_holders(root, name) || !alike(root, other, arg))
			continue;
		*ret = take_ptr(other);
		break;
	}
	return NULL;
}

/* Members of one file system or array share its name, and differ in the name of the member. */
struct twin {
	const char *name;
	char *member;
};

static bool is_twin(const struct kd_sysroot *root, const char *node, const void *arg)
{
	const struct twin *twin = arg;

	return block_has_name(root, node, twin->name) && has_value(root, node, KD_DEVICE_UUID_SUB, twin->member);
}

struct kd_error *block_find_twin(const struct kd_sysroot *root, const char *node, const char *name, char **ret)
{
	struct twin twin = { name, probe(root, node, "UUID_SUB") };
	struct kd_error *err = find_other(root, node, is_twin, &twin, ret);

	free(twin.member);
	return err;
}

/* Would the capture take this device for the one of that spec? */
static bool fits(const struct kd_sysroot *root, const char *node, const void *arg)
{
	static const enum kd_device_key contents[] = { KD_DEVICE_UUID, KD_DEVICE_PARTUUID, KD_DEVICE_UUID_SUB };
	const struct kd_device_spec *spec = arg;

	if (!kd_device_is_place(root, node + strlen("/dev/"), spec))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(contents); i++)
		if (spec->value[contents[i]] && !has_value(root, node, contents[i], spec->value[contents[i]]))
			return false;
	return true;
}

/* --- identity ----------------------------------------------------------------------------------------------------- */

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

/* No other device may have all that tells @node. */
static struct kd_error *check_unique(const struct kd_sysroot *root, const char *node, const struct kd_device_spec *spec)
{
	const char *uuid = spec->value[KD_DEVICE_UUID];
	_cleanup_free_ char *other = NULL;
	struct kd_error *err = uuid ? find_other(root, node, fits, spec, &other) : NULL;

	if (err || !other)
		return err;
	return kd_error_create(
		KD_ERR_CONFIG,
		"%s and %s have the same UUID %s, and neither the serial number of a disk nor the UUID of a "
		"partition tells which is which: the capture could write the wrong one. Give one of them a "
		"new UUID (\"tune2fs -U random\", \"xfs_admin -U generate\", \"btrfstune -u\"), or choose "
		"another dump target",
		node, other, uuid);
}

struct kd_error *block_identity(const struct kd_sysroot *root, const struct kd_log *log, const char *node, char **ret)
{
	_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
	struct kd_error *err = add_place(root, node + strlen("/dev/"), &spec);

	if (!err)
		err = read_key(root, node, KD_DEVICE_PARTUUID, &spec.value[KD_DEVICE_PARTUUID]);
	if (!err)
		err = read_key(root, node, KD_DEVICE_UUID, &spec.value[KD_DEVICE_UUID]);
	if (!err)
		err = read_key(root, node, KD_DEVICE_UUID_SUB, &spec.value[KD_DEVICE_UUID_SUB]);
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

static bool has_same_container(const struct kd_sysroot *root, const char *node, const void *arg)
{
	const struct kd_device_spec *spec = arg;
	_cleanup_close_ int fd = -1;

	if (!kd_device_is_place(root, node + strlen("/dev/"), spec) ||
	    !has_value(root, node, KD_DEVICE_PARTUUID, spec->value[KD_DEVICE_PARTUUID]))
		return false;
	fd = kd_container_open_device(root, node);
	return fd >= 0 && kd_device_has_container(fd, spec);
}

struct kd_error *block_container_identity(const struct kd_sysroot *root, const char *node, const char *label,
					  char **ret)
{
	_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
	_cleanup_free_ char *other = NULL;
	struct kd_error *err = add_place(root, node + strlen("/dev/"), &spec);

	if (!err)
		err = read_key(root, node, KD_DEVICE_PARTUUID, &spec.value[KD_DEVICE_PARTUUID]);
	if (!err)
		err = kd_set_text(&spec.value[KD_DEVICE_CONTAINER], label);
	if (!err)
		err = find_other(root, node, has_same_container, &spec, &other);
	if (!err && other)
		err = kd_error_create(
			KD_ERR_CONFIG,
			"%s and %s have the same container of dumps, and nothing tells which is which: erase the "
			"one that is a copy",
			node, other);
	return err ? err : kd_device_spec_format(&spec, ret);
}

char *block_signature(const struct kd_sysroot *root, const char *node)
{
	static const char *const values[] = { "TYPE", "PTTYPE" };
	_cleanup_close_ int fd = kd_sysroot_open_file(root, node, O_RDONLY | O_NONBLOCK);
	_cleanup_(blkid_free_probe) blkid_probe pr = fd < 0 ? NULL : blkid_new_probe();
	const char *data;

	if (!pr || blkid_probe_set_device(pr, fd, 0, 0) || blkid_probe_enable_superblocks(pr, true) ||
	    blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE) || blkid_probe_enable_partitions(pr, true))
		return NULL;
	/* Step by step: of several signatures, the first is enough. */
	while (blkid_do_probe(pr) == 0)
		for (size_t i = 0; i < ARRAY_SIZE(values); i++)
			if (blkid_probe_lookup_value(pr, values[i], &data, NULL) == 0)
				return strdup(data);
	return NULL;
}

bool block_has_parts(const struct kd_sysroot *root, const char *node)
{
	_cleanup_free_ char *directory = NULL;
	_cleanup_closedir_ DIR *dir = NULL;
	const char *name, *base = strrchr(node, '/') + 1;

	if (kd_device_has_holders(root, base))
		return true;
	if (kd_error_discard(kd_block_directory(root, node, &directory)))
		return false;
	dir = kd_sysroot_open_dir(root, directory);
	while (dir && (name = kd_next_entry(dir)))
		if (kd_starts_with(name, base)) /* "vda1" in the directory of "vda" */
			return true;
	return false;
}

char *block_fs_type(const struct kd_sysroot *root, const char *node)
{
	return probe(root, node, "TYPE");
}

bool block_is_read_only(const struct kd_sysroot *root, const char *node)
{
	_cleanup_free_ char *directory = NULL;
	uint64_t value = 0;

	if (!kd_error_discard(kd_block_directory(root, node, &directory)))
		kd_error_destroy(kd_sysroot_read_u64(root, 10, &value, "%s/ro", directory));
	return value != 0;
}
