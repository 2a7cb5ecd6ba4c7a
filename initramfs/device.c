/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/device.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <blkid.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/text.h"

/* Tags, and where udev keeps links by them. */
static const struct {
	const char *prefix; /* in the target's name */
	const char *directory;
} tags[] = {
	{ "UUID=", "/dev/disk/by-uuid" },
	{ "LABEL=", "/dev/disk/by-label" },
	{ "PARTUUID=", "/dev/disk/by-partuuid" },
	{ "PARTLABEL=", "/dev/disk/by-partlabel" },
};

/* Path below /dev of the device with this tag; *ret stays NULL if there is none. */
static struct kd_error *find_by_tag(const struct kd_sysroot *root, const char *spec, size_t row, char **ret)
{
	const char *value = spec + strlen(tags[row].prefix);
	char encoded[1024];

	if (kd_sysroot_is_live(root)) {
		*ret = blkid_evaluate_spec(spec, NULL);
		return NULL;
	}
	if (blkid_encode_string(value, encoded, sizeof(encoded)) != 0)
		return kd_error_create(KD_ERR_NOT_FOUND, "%s is too long", tags[row].prefix);
	return kd_format(ret, "%s/%s", tags[row].directory, encoded);
}

static struct kd_error *node_path(const struct kd_sysroot *root, const char *spec, char **ret)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tags); i++) {
		if (kd_starts_with(spec, tags[i].prefix))
			return find_by_tag(root, spec, i, ret);
	}
	if (!kd_starts_with(spec, "/dev/"))
		return kd_error_create(KD_ERR_CONFIG,
				       "\"%s\" names no device: use UUID=…, LABEL=…, PARTUUID=… or /dev/…", spec);
	*ret = strdup(spec);
	return *ret ? NULL : kd_error_nomem();
}

/* The entry of sysfs that links to the device: by number, or by name where @node is no device node. */
static struct kd_error *sysfs_link(const struct kd_sysroot *root, const char *node, char **ret)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, node, O_PATH);
	_cleanup_free_ char *real = NULL;
	struct kd_error *err;
	struct stat st;
	int n;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISBLK(st.st_mode)) {
		n = asprintf(ret, "/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	} else {
		err = kd_sysroot_realpath(root, node, &real);
		if (err)
			return err;
		n = asprintf(ret, "/sys/class/block/%s", strrchr(real, '/') + 1);
	}
	if (n < 0) {
		*ret = NULL;
		return kd_error_nomem();
	}
	return NULL;
}

struct kd_error *device_find(const struct kd_sysroot *root, const char *spec, char **ret)
{
	_cleanup_free_ char *node = NULL, *link = NULL;
	struct kd_error *err;

	err = node_path(root, spec, &node);
	if (err)
		return err;
	err = node ? sysfs_link(root, node, &link) : NULL;
	if (!err && link)
		err = kd_sysroot_realpath(root, link, ret);
	if (err || !link) {
		kd_error_destroy(err);
		return kd_error_create(KD_ERR_NOT_FOUND, "there is no block device %s", spec);
	}
	return NULL;
}
