/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/external.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libmount.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/block.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/plan.h"
#include "base/text.h"
#include "kdump/storage/block.h"

#define SUPERBLOCK_SIZE 1024 /* the part of it that is looked at */
#define UUID_SIZE       16

struct superblock {
	unsigned char data[SUPERBLOCK_SIZE];
	bool known; /* only root can read it */
};

/* One look for further devices. */
struct search {
	const struct kd_sysroot *root;
	const char *type, *node, *options; /* of the file system */
	const struct superblock *superblock;
	struct target *target;
};

/* --- superblocks -------------------------------------------------------------------------------------------------- */

static uint64_t be64(const struct superblock *superblock, size_t place)
{
	uint64_t value;

	memcpy(&value, superblock->data + place, sizeof(value));
	return be64toh(value);
}

static uint32_t le32(const struct superblock *superblock, size_t place)
{
	uint32_t value;

	memcpy(&value, superblock->data + place, sizeof(value));
	return le32toh(value);
}

static uint64_t le64(const struct superblock *superblock, size_t place)
{
	return le32(superblock, place) | (uint64_t)le32(superblock, place + 4) << 32;
}

static void read_superblock(const struct kd_sysroot *root, const char *node, off_t place, struct superblock *ret)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, node, O_RDONLY | O_NONBLOCK);

	ret->known = fd >= 0 && kd_pread_all(fd, ret->data, sizeof(ret->data), place) == sizeof(ret->data);
	if (!ret->known)
		memset(ret->data, 0, sizeof(ret->data));
}

/* --- parts -------------------------------------------------------------------------------------------------------- */

static struct kd_error *refuse(const struct search *search, const char *what, const char *why, const char *remedy)
{
	return kd_error_create(KD_ERR_UNSUPPORTED,
			       "the %s file system on %s has %s, and %s: %s; or choose another dump target",
			       search->type, search->node, what, why, remedy);
}

/* The part has a name that stays the same over boots: what it is for, and the UUID of the file system. */
static struct kd_error *name_part(const struct search *search, const char *option, size_t number, char **ret)
{
	_cleanup_free_ char *uuid = NULL;
	struct kd_error *err = block_uuid(search->root, search->node, &uuid);

	return err ? err :
		     kd_format(ret, "%s%zu-of-%s", option, number,
			       uuid ? strchr(uuid, '=') + 1 : strrchr(search->node, '/') + 1);
}

static size_t count_parts(const struct target *target)
{
	size_t count = 0;

	while (count < TARGET_PARTS && target->part[count].node)
		count++;
	return count;
}

/* Take over @node. */
static struct kd_error *add_part(const struct search *search, const char *option, char *node)
{
	struct target *target = search->target;
	_cleanup_free_ char *name = NULL, *before = NULL, *options = NULL;
	size_t count = count_parts(target);
	struct kd_error *err;

	if (count == TARGET_PARTS) {
		free(node);
		return kd_error_create(KD_ERR_LIMIT,
				       "the %s file system on %s has more than %d devices: choose another dump target",
				       search->type, search->node, TARGET_PARTS + 1);
	}
	target->part[count].node = node;
	target->part[count].option = option;
	err = name_part(search, option, count, &name);
	if (!err)
		err = kd_format(&options, "%s%s%s=" KD_PLAN_VOLUME_PREFIX "%s", target->options,
				*target->options ? "," : "", option, name);
	if (err)
		return err;
	target->part[count].name = take_ptr(name);
	before = target->options;
	target->options = take_ptr(options);
	return NULL;
}

/* The device that option @name of the mount is. *ret is NULL if there is no such option. */
static struct kd_error *find_option(const struct search *search, const char *name, char **ret)
{
	_cleanup_free_ char *device = NULL;
	char *value;
	size_t size;

	*ret = NULL;
	if (mnt_optstr_get_option(search->options, name, &value, &size) != 0 || !value)
		return NULL;
	device = strndup(value, size);
	return device ? kd_block_find(search->root, device, ret) : kd_error_nomem();
}

/* All block devices whose superblock at @place is @wanted, but @search's own, and those that others stand on: what they
 * carry belongs to the upper ones. */
static struct kd_error *scan(const struct search *search, off_t place,
			     bool (*wanted)(const struct search *search, const struct superblock *superblock),
			     struct kd_error *(*found)(const struct search *search, char *node))
{
	_cleanup_closedir_ DIR *all = kd_sysroot_open_dir(search->root, "/sys/class/block");
	struct kd_error *err = NULL;
	const char *name;

	while (all && !err && (name = kd_next_entry(all))) {
		_cleanup_free_ char *node = NULL, *holders = NULL;
		_cleanup_closedir_ DIR *upper = NULL;
		struct superblock superblock;

		err = kd_format(&node, "/dev/%s", name);
		if (!err)
			err = kd_format(&holders, "/sys/class/block/%s/holders", name);
		if (err)
			return err;
		upper = kd_sysroot_open_dir(search->root, holders);
		if (strcmp(node, search->node) == 0 || (upper && kd_next_entry(upper)))
			continue;
		read_superblock(search->root, node, place, &superblock);
		if (superblock.known && wanted(search, &superblock))
			err = found(search, take_ptr(node));
	}
	return err;
}

/* --- XFS: struct xfs_dsb, Linux fs/xfs/libxfs/xfs_format.h -------------------------------------------------------- */

/* sb_rtstart: where a realtime section starts that lies on the device itself (Linux 6.15, zoned). */
#define XFS_MAGIC     0
#define XFS_RBLOCKS   16
#define XFS_LOG_START 48
#define XFS_RT_START  288

/* Neither kind of device says whose it is, so the mount has to tell. */
static struct kd_error *add_xfs_device(const struct search *search, const char *option, const char *what, bool needed)
{
	char *node;
	struct kd_error *err = find_option(search, option, &node);

	if (err)
		return err;
	if (node)
		return add_part(search, option, node);
	return needed ? refuse(search, what, "nothing tells which device that is",
			       "mount it, or give the option in /etc/fstab") :
			NULL;
}

static struct kd_error *find_xfs(const struct search *search)
{
	const struct superblock *sb = search->superblock;
	bool xfs = memcmp(sb->data + XFS_MAGIC, "XFSB", 4) == 0;
	struct kd_error *err = add_xfs_device(search, "logdev", "an external log", xfs && !be64(sb, XFS_LOG_START));

	return err ? err :
		     add_xfs_device(search, "rtdev", "a realtime device",
				    xfs && be64(sb, XFS_RBLOCKS) && !be64(sb, XFS_RT_START));
}

/* --- ext3, ext4: struct ext4_super_block, Linux fs/ext4/ext4.h ---------------------------------------------------- */

/* An internal journal is an inode. An external one has a superblock of its own, with another UUID. */
#define EXT_PLACE          1024
#define EXT_MAGIC          0x38
#define EXT_COMPAT         0x5c
#define EXT_HAS_JOURNAL    0x4
#define EXT_INCOMPAT       0x60
#define EXT_IS_JOURNAL     0x8
#define EXT_UUID           0x68
#define EXT_JOURNAL_UUID   0xd0
#define EXT_JOURNAL_INODE  0xe0
#define EXT_JOURNAL_DEVICE 0xe4

static bool is_ext(const struct superblock *sb)
{
	return memcmp(sb->data + EXT_MAGIC, "\x53\xef", 2) == 0;
}

static bool is_journal(const struct search *search, const struct superblock *sb)
{
	return is_ext(sb) && (le32(sb, EXT_INCOMPAT) & EXT_IS_JOURNAL) &&
	       memcmp(sb->data + EXT_UUID, search->superblock->data + EXT_JOURNAL_UUID, UUID_SIZE) == 0;
}

static struct kd_error *add_journal(const struct search *search, char *node)
{
	return add_part(search, "journal_path", node);
}

static struct kd_error *find_ext(const struct search *search)
{
	const struct superblock *sb = search->superblock;
	bool external = is_ext(sb) && (le32(sb, EXT_COMPAT) & EXT_HAS_JOURNAL) &&
			(!le32(sb, EXT_JOURNAL_INODE) || le32(sb, EXT_JOURNAL_DEVICE));
	struct kd_error *err;
	char *node;

	err = find_option(search, "journal_path", &node);
	if (err)
		return err;
	if (node)
		return add_journal(search, node);
	if (!external)
		return NULL;
	err = scan(search, EXT_PLACE, is_journal, add_journal);
	if (!err && count_parts(search->target) != 1)
		err = refuse(search, "an external journal",
			     count_parts(search->target) ? "several devices are that journal" :
							   "no device of this machine is that journal",
			     "while it is not mounted, \"tune2fs -O ^has_journal\" and then \"tune2fs -j\" give it an "
			     "internal one");
	return err;
}

/* --- btrfs: struct btrfs_super_block, Linux include/uapi/linux/btrfs_tree.h --------------------------------------- */

#define BTRFS_PLACE   65536
#define BTRFS_FSID    32
#define BTRFS_MAGIC   64
#define BTRFS_DEVICES 136

static bool is_btrfs(const struct superblock *sb)
{
	return memcmp(sb->data + BTRFS_MAGIC, "_BHRfS_M", 8) == 0;
}

static bool is_device(const struct search *search, const struct superblock *sb)
{
	return is_btrfs(sb) && memcmp(sb->data + BTRFS_FSID, search->superblock->data + BTRFS_FSID, UUID_SIZE) == 0;
}

static struct kd_error *add_device(const struct search *search, char *node)
{
	return add_part(search, "device", node);
}

/* While it is mounted the kernel has a list. *listed is false if there is none. */
static struct kd_error *list_devices(const struct search *search, bool *listed)
{
	const unsigned char *id = search->superblock->data + BTRFS_FSID;
	_cleanup_closedir_ DIR *devices = NULL;
	_cleanup_free_ char *path = NULL;
	char uuid[2 * UUID_SIZE + 1];
	struct kd_error *err;
	const char *name;

	kd_hex(id, UUID_SIZE, uuid);
	err = kd_format(&path, "/sys/fs/btrfs/%.8s-%.4s-%.4s-%.4s-%s/devices", uuid, uuid + 8, uuid + 12, uuid + 16,
			uuid + 20);
	if (err)
		return err;
	devices = kd_sysroot_open_dir(search->root, path);
	*listed = devices != NULL;
	while (devices && !err && (name = kd_next_entry(devices))) {
		char *node = NULL;

		err = kd_format(&node, "/dev/%s", name);
		if (!err && strcmp(node, search->node) != 0)
			err = add_device(search, node);
		else
			free(node);
	}
	return err;
}

static struct kd_error *find_btrfs(const struct search *search)
{
	const struct superblock *sb = search->superblock;
	uint64_t devices = is_btrfs(sb) ? le64(sb, BTRFS_DEVICES) : 1;
	_cleanup_free_ char *why = NULL;
	struct kd_error *err;
	bool listed;

	if (devices <= 1)
		return NULL;
	err = list_devices(search, &listed);
	if (!err && !listed)
		err = scan(search, BTRFS_PLACE, is_device, add_device);
	if (err || count_parts(search->target) + 1 == devices)
		return err;
	err = kd_format(&why, "of its %" PRIu64 " devices %zu were found", devices, count_parts(search->target) + 1);
	return err ? err : refuse(search, "several devices", why, "\"btrfs filesystem show\" tells which are missing");
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static const struct file_system {
	const char *type; /* a beginning */
	off_t place;      /* of the superblock */
	struct kd_error *(*find)(const struct search *search);
} file_systems[] = {
	{ "ext", EXT_PLACE, find_ext },
	{ "btrfs", BTRFS_PLACE, find_btrfs },
	{ "xfs", 0, find_xfs },
};

struct kd_error *external_find(const struct kd_sysroot *root, const char *type, const char *node, const char *options,
			       struct target *target)
{
	struct superblock superblock;
	const struct search search = { root, type, node, options, &superblock, target };

	for (size_t i = 0; i < ARRAY_SIZE(file_systems); i++) {
		if (!kd_starts_with(type, file_systems[i].type))
			continue;
		read_superblock(root, node, file_systems[i].place, &superblock);
		return file_systems[i].find(&search);
	}
	return NULL;
}
