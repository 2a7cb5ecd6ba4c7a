/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/block.h"

#include <blkid.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/container.h"
#include "base/device_spec.h"
#include "base/parse.h"
#include "base/text.h"

#define NO_DEVICE "there is no device %s: \"lsblk -f\" shows the file systems of this machine"

/* Where udev keeps links by tags; NULL: nowhere. */
static const char *const link_directories[] = {
	[KD_DEVICE_PATH] = NULL,
	[KD_DEVICE_UUID] = "/dev/disk/by-uuid",
	[KD_DEVICE_LABEL] = "/dev/disk/by-label",
	[KD_DEVICE_PARTUUID] = "/dev/disk/by-partuuid",
	[KD_DEVICE_PARTLABEL] = "/dev/disk/by-partlabel",
	[KD_DEVICE_UUID_SUB] = NULL,
	[KD_DEVICE_VOLUME] = NULL,
	[KD_DEVICE_DISK] = NULL,
	[KD_DEVICE_PATHS] = NULL,
	[KD_DEVICE_CONTAINER] = NULL,
};

/* The node that @link, "../../sda1", leads to, in @node. The node itself need not exist. */
static bool read_link(int dir, const char *link, char node[PATH_MAX])
{
	char target[PATH_MAX - sizeof("/dev/")];
	ssize_t size = readlinkat(dir, link, target, sizeof(target) - 1);
	const char *name = target;

	if (size < 0)
		return false;
	target[size] = '\0';
	while (kd_starts_with(name, "../"))
		name += strlen("../");
	if (kd_starts_with(name, "/dev/"))
		name += strlen("/dev/");
	strcpy(stpcpy(node, "/dev/"), name);
	return true;
}

/* The value of a tag, without quotes, as udev writes it in a file name. */
static bool encode_value(const char *value, char *ret, size_t size)
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

/* The value that differs from @value, which no device has, in the case of letters alone; *ret stays NULL if there is
 * none. Tags are compared letter by letter, though people and the kernel (PARTUUID=) write UUIDs in either case. */
static struct kd_error *find_similar(const struct kd_sysroot *root, enum kd_device_key key, const char *value,
				     char **ret)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, link_directories[key]);
	_cleanup_free_ char *lower = NULL, *node = NULL;
	struct kd_error *err;
	const char *link;

	while (dir && (link = kd_next_entry(dir)))
		if (strcasecmp(link, value) == 0)
			return kd_set_text(ret, link);
	if (!kd_sysroot_is_live(root))
		return NULL;
	err = kd_format(&lower, "%s%s", kd_device_key_prefix(key), value);
	if (err)
		return err;
	for (char *p = strchr(lower, '='); *p; p++)
		*p = tolower((unsigned char)*p);
	if (strcmp(strchr(lower, '=') + 1, value) != 0)
		node = blkid_evaluate_spec(lower, NULL);
	return node ? kd_set_text(ret, strchr(lower, '=') + 1) : NULL;
}

static struct kd_error *no_tag(const struct kd_sysroot *root, const char *name, const struct kd_device_name *tag,
			       const char *value)
{
	_cleanup_free_ char *similar = NULL;
	struct kd_error *err = find_similar(root, tag->key, value, &similar);

	if (err || !similar)
		return err ? err : kd_error_create(KD_ERR_NOT_FOUND, NO_DEVICE, name);
	return kd_error_create(KD_ERR_NOT_FOUND, "there is no device %s: did you mean \"%s%s\"?", name,
			       kd_device_key_prefix(tag->key), similar);
}

static struct kd_error *find_tag(const struct kd_sysroot *root, const char *name, const struct kd_device_name *tag,
				 char **ret)
{
	_cleanup_close_ int dir = kd_sysroot_open_file(root, link_directories[tag->key], O_RDONLY | O_DIRECTORY);
	char value[1024], node[PATH_MAX];
	_cleanup_free_ char *probed = NULL;

	if (!encode_value(tag->value, value, sizeof(value)))
		return kd_error_create(KD_ERR_NOT_FOUND, "%s is not the name of a device", name);
	if (dir >= 0 && read_link(dir, value, node))
		return kd_set_text(ret, node);
	probed = kd_sysroot_is_live(root) ? blkid_evaluate_spec(name, NULL) : NULL;
	return probed ? kd_sysroot_realpath(root, probed, ret) : no_tag(root, name, tag, value);
}

static struct kd_error *find_name(const struct kd_sysroot *root, const char *name, char **ret)
{
	struct kd_device_name parsed;
	struct kd_error *err;
	char *node = NULL;

	if (!kd_device_name_parse(name, &parsed) || !kd_device_key_is_public(parsed.key))
		return kd_error_create(KD_ERR_NOT_FOUND, "%s is not a device: write " KD_DEVICE_FORMS, name);
	if (parsed.key == KD_DEVICE_PATH)
		err = kd_sysroot_realpath(root, name, &node);
	else
		err = find_tag(root, name, &parsed, &node);
	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return kd_error_create(KD_ERR_NOT_FOUND, NO_DEVICE, name);
	}
	if (!err)
		*ret = node;
	return err;
}

static bool has_place(const struct kd_device_spec *spec)
{
	return spec->value[KD_DEVICE_VOLUME] || spec->value[KD_DEVICE_DISK] || spec->value[KD_DEVICE_PATHS];
}

static unsigned int count_conditions(const struct kd_device_spec *spec)
{
	unsigned int count = 0;

	for (size_t key = 0; key < KD_DEVICE_KEYS; key++)
		count += spec->value[key] != NULL;
	return count;
}

/* By what is on it, if that is where it should be. *ret stays NULL if it is not. */
static struct kd_error *find_contents(const struct kd_sysroot *root, const struct kd_device_spec *spec, char **ret)
{
	for (enum kd_device_key key = KD_DEVICE_UUID; kd_device_key_is_public(key); key++) {
		_cleanup_free_ char *name = NULL, *node = NULL;
		struct kd_error *err = NULL;

		if (!spec->value[key])
			continue;
		err = kd_format(&name, "%s%s", kd_device_key_prefix(key), spec->value[key]);
		if (err)
			return err;
		if (!kd_error_discard(find_name(root, name, &node)) && kd_starts_with(node, "/dev/") &&
		    kd_device_is_place(root, node + strlen("/dev/"), spec)) {
			*ret = take_ptr(node);
			return NULL;
		}
	}
	return NULL;
}

/* The disk or volume itself. */
static struct kd_error *find_place(const struct kd_sysroot *root, const struct kd_device_spec *spec, char **ret)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, "/sys/class/block");
	const char *name;

	while (dir && (name = kd_next_entry(dir))) {
		_cleanup_free_ char *disk = NULL;

		if (!kd_device_is_place(root, name, spec))
			continue;
		if (!kd_error_discard(kd_whole_disk(root, name, &disk)))
			return kd_format(ret, "/dev/%s", disk);
	}
	return NULL;
}

/* The device in that place that has the container of dumps. *ret stays NULL if none has. */
static struct kd_error *find_container(const struct kd_sysroot *root, const struct kd_device_spec *spec, char **ret)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, "/sys/class/block");
	const char *name;

	while (dir && (name = kd_next_entry(dir))) {
		_cleanup_free_ char *node = NULL;
		_cleanup_close_ int fd = -1;
		struct kd_error *err = NULL;

		if (kd_device_has_holders(root, name) || !kd_device_is_place(root, name, spec))
			continue;
		err = kd_format(&node, "/dev/%s", name);
		if (err)
			return err;
		for (char *p = node; (p = strchr(p, '!'));) /* the way /sys writes a slash */
			*p = '/';
		fd = kd_container_open_device(root, node);
		if (fd < 0 || !kd_device_has_container(fd, spec))
			continue;
		*ret = take_ptr(node);
		return NULL;
	}
	return NULL;
}

struct kd_error *kd_block_find(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
	struct kd_error *err = kd_device_spec_parse(name, &spec);
	char *node = NULL;

	if (!err && spec.value[KD_DEVICE_CONTAINER]) {
		err = find_container(root, &spec, &node);
		if (!err && !node)
			err = kd_error_create(KD_ERR_NOT_FOUND, "there is no device with the container of dumps %s",
					      name);
		if (!err)
			*ret = node;
		return err;
	}
	if (err || count_conditions(&spec) == 1) {
		bool placed = !err && has_place(&spec);

		kd_error_destroy(err);
		if (!placed)
			return find_name(root, name, ret);
	}
	err = find_contents(root, &spec, &node);
	if (!err && !node && has_place(&spec))
		err = find_place(root, &spec, &node);
	if (!err && !node)
		err = kd_error_create(KD_ERR_NOT_FOUND, NO_DEVICE, name);
	if (!err)
		*ret = node;
	return err;
}

struct kd_error *kd_block_name(const struct kd_sysroot *root, const char *node, enum kd_device_key key, char **ret)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, link_directories[key]);
	char target[PATH_MAX];
	const char *link;

	*ret = NULL;
	while (dir && (link = kd_next_entry(dir)))
		if (read_link(dirfd(dir), link, target) && strcmp(target, node) == 0)
			return kd_format(ret, "%s%s", kd_device_key_prefix(key), link);
	return NULL;
}

/* The entry of sysfs that links to the device. */
static struct kd_error *sysfs_link(const struct kd_sysroot *root, const char *node, char **ret)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, node, O_PATH);
	struct kd_error *err;
	struct stat st;
	char *p;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISBLK(st.st_mode))
		return kd_format(ret, "/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	err = kd_format(ret, "/sys/class/block/%s", node + strlen("/dev/"));
	/* sysfs writes '!' for a slash in the name of a device: cciss!c0d0. */
	for (p = err ? NULL : *ret + strlen("/sys/class/block/"); p && (p = strchr(p, '/'));)
		*p = '!';
	return err;
}

struct kd_error *kd_block_directory(const struct kd_sysroot *root, const char *node, char **ret)
{
	_cleanup_free_ char *link = NULL;
	struct kd_error *err;

	if (!kd_starts_with(node, "/dev/"))
		return kd_error_create(KD_ERR_NOT_FOUND, "%s is not a block device", node);
	err = sysfs_link(root, node, &link);
	if (!err)
		err = kd_sysroot_realpath(root, link, ret);
	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return kd_error_create(KD_ERR_NOT_FOUND, "%s is not a block device", node);
	}
	return err;
}
