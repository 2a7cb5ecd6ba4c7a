/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/block.h"

#include <blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/text.h"

DEFINE_CLEANUP(blkid_probe, blkid_free_probe)

enum { TAG_UUID, TAG_LABEL, TAG_PARTUUID, TAG_PARTLABEL };

static const struct {
	const char *name; /* with the "=" */
	const char *links;
} tags[] = {
	[TAG_UUID] = { "UUID=", "/dev/disk/by-uuid" },
	[TAG_LABEL] = { "LABEL=", "/dev/disk/by-label" },
	[TAG_PARTUUID] = { "PARTUUID=", "/dev/disk/by-partuuid" },
	[TAG_PARTLABEL] = { "PARTLABEL=", "/dev/disk/by-partlabel" },
};

#define NO_DEVICE "there is no device %s: \"lsblk -f\" shows the file systems of this machine"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static struct kd_error *node_of_name(const char *name, char **ret)
{
	if (asprintf(ret, "/dev/%s", name) < 0)
		return kd_error_nomem();
	return NULL;
}

/* "sda1" as it stands in @value of a link "../../sda1"; the link's target itself need not be there. */
static ssize_t read_link_name(int dir, const char *link, char name[PATH_MAX])
{
	ssize_t size = readlinkat(dir, link, name, PATH_MAX - 1);

	if (size < 0)
		return -1;
	name[size] = '\0';
	memmove(name, base_name(name), strlen(base_name(name)) + 1);
	return strlen(name);
}

/* The value of a tag, without quotes, as udev writes it in a file name. */
static bool encode_tag_value(const char *value, char *ret, size_t size)
{
	char plain[256];
	size_t length = strlen(value);

	if (length >= 2 && (*value == '"' || *value == '\'') && value[length - 1] == *value) {
		value++;
		length -= 2;
	}
	if (length == 0 || length >= sizeof(plain))
		return false;
	memcpy(plain, value, length);
	plain[length] = '\0';
	return blkid_encode_string(plain, ret, size) == 0;
}

static struct kd_error *find_tag(const struct kd_sysroot *root, const char *spec, size_t tag, char **ret)
{
	_cleanup_close_ int dir = kd_sysroot_open_file(root, tags[tag].links, O_RDONLY | O_DIRECTORY);
	char value[1024], name[PATH_MAX], *probed;

	if (!encode_tag_value(spec + strlen(tags[tag].name), value, sizeof(value)))
		return kd_error_create(KD_ERR_NOT_FOUND, "%s is no name of a device", spec);
	if (dir >= 0 && read_link_name(dir, value, name) > 0)
		return node_of_name(name, ret);
	/* No udev, or it has not been told: read the devices. */
	probed = kd_sysroot_is_live(root) ? blkid_evaluate_spec(spec, NULL) : NULL;
	if (probed) {
		struct kd_error *err = kd_sysroot_realpath(root, probed, ret);

		free(probed);
		return err;
	}
	return kd_error_create(KD_ERR_NOT_FOUND, NO_DEVICE, spec);
}

struct kd_error *block_find(const struct kd_sysroot *root, const char *spec, char **ret)
{
	struct kd_error *err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tags); i++)
		if (kd_starts_with(spec, tags[i].name))
			return find_tag(root, spec, i, ret);
	if (*spec != '/')
		return kd_error_create(KD_ERR_NOT_FOUND,
				       "%s is no device: write /dev/NAME, UUID=, LABEL= or PARTUUID=", spec);
	err = kd_sysroot_realpath(root, spec, ret);
	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return kd_error_create(KD_ERR_NOT_FOUND, NO_DEVICE, spec);
	}
	return err;
}

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
			return node_of_name(line + strlen("DEVNAME="), ret);
	return kd_error_create(KD_ERR_NOT_FOUND, "%s%s names no device", root->prefix, path);
}

bool block_has_number(const struct kd_sysroot *root, const char *node, dev_t number)
{
	_cleanup_free_ char *text = NULL;
	char expected[32];

	snprintf(expected, sizeof(expected), "%u:%u", major(number), minor(number));
	return !kd_error_discard(kd_sysroot_read_line(root, &text, "/sys/class/block/%s/dev", base_name(node))) &&
	       strcmp(text, expected) == 0;
}

/* Ask the device itself for @value ("UUID", "TYPE"); NULL if it does not tell. */
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

/* What udev's links of tag @tag say; *ret stays NULL if none leads to @node. */
static struct kd_error *tag_from_links(const struct kd_sysroot *root, const char *node, size_t tag, char **ret)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, tags[tag].links);
	struct dirent *entry;
	char name[PATH_MAX];

	*ret = NULL;
	if (!dir)
		return NULL;
	while ((entry = readdir(dir)))
		if (read_link_name(dirfd(dir), entry->d_name, name) > 0 && strcmp(name, base_name(node)) == 0)
			return kd_format(ret, "%s%s", tags[tag].name, entry->d_name);
	return NULL;
}

struct kd_error *block_uuid(const struct kd_sysroot *root, const char *node, char **ret)
{
	_cleanup_free_ char *uuid = kd_sysroot_is_live(root) ? probe(node, "UUID") : NULL;

	/* The device itself is asked first: of a file system on several devices udev's link leads to one only. */
	if (!uuid)
		return tag_from_links(root, node, TAG_UUID, ret);
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
		err = tag_from_links(root, node, TAG_PARTUUID, ret);
	if (err || *ret)
		return err;
	kd_warn(log, "%s has no UUID that could be found: its name may change until the crash", node);
	*ret = strdup(node);
	return *ret ? NULL : kd_error_nomem();
}

char *block_fs_type(const struct kd_sysroot *root, const char *node)
{
	return kd_sysroot_is_live(root) ? probe(node, "TYPE") : NULL;
}

bool block_is_read_only(const struct kd_sysroot *root, const char *node)
{
	uint64_t value = 0;

	kd_error_destroy(kd_sysroot_read_u64(root, 10, &value, "/sys/class/block/%s/ro", base_name(node)));
	return value != 0;
}
