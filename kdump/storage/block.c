/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/block.h"

#include <blkid.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/block.h"
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

struct kd_error *block_identity(const struct kd_sysroot *root, const struct kd_log *log, const char *node, char **ret)
{
	_cleanup_free_ char *member = kd_sysroot_is_live(root) ? probe(node, "UUID_SUB") : NULL;
	struct kd_error *err;

	if (member)
		return kd_format(ret, "UUID_SUB=%s", member);
	err = block_uuid(root, node, ret);
	if (!err && !*ret)
		err = kd_block_name(root, node, KD_DEVICE_PARTUUID, ret);
	if (err || *ret)
		return err;
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
