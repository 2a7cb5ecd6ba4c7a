/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/reserved.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/text.h"
#include "base/trust.h"
#include "kdump/storage/block.h"
#include "kdump/storage/mounts.h"

enum { CHUNK = 1 << 20 };

/* --- the file system ---------------------------------------------------------------------------------------------- */

/* These write data in place, and say where it lies on their one device. */
static const char *const fixed[] = { "ext2", "ext3", "ext4", "xfs" };

static const struct {
	const char *type, *why;
} moving[] = {
	{ "btrfs", "writes data to a new place each time" },
	{ "bcachefs", "writes data to a new place each time" },
	{ "zfs", "writes data to a new place each time" },
	{ "nilfs2", "writes data to a new place each time" },
	{ "f2fs", "moves data when it cleans up" },
	{ "overlay", "keeps the file on another file system: name it there" },
	{ "tmpfs", "lies in memory" },
	{ "nfs", "is on a server" },
	{ "nfs4", "is on a server" },
	{ "cifs", "is on a server" },
};

static struct kd_error *check_type(const char *path, const struct mount *mount)
{
	const char *why = "is not known to leave data where it is";

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (strcmp(mount->type, fixed[i]) == 0)
			return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(moving); i++)
		if (strcmp(mount->type, moving[i].type) == 0)
			why = moving[i].why;
	return kd_error_create(
		KD_ERR_UNSUPPORTED,
		"%s cannot be reserved: it lies on %s (mounted at %s), which %s: choose a place on ext4 or xfs", path,
		mount->type, mount->mount_point, why);
}

/* The mount that @path, which may not exist yet, lies on is of a kind that keeps data in its place. */
static struct kd_error *check_file_system(const struct kd_sysroot *root, const char *path)
{
	_cleanup_(mounts_free) struct mounts mounts = { 0 };
	const struct mount *mount;
	struct kd_error *err = mounts_load(root, &mounts);

	if (err)
		return err;
	mount = mounts_find(&mounts, path);
	if (!mount)
		return kd_error_create(KD_ERR_NOT_FOUND, "no mount contains %s", path);
	err = check_type(path, mount);
	/* After the crash the replay of the journal would write old data over the dump. */
	if (!err && strstr(mount->options, "data=journal"))
		err = kd_error_create(
			KD_ERR_UNSUPPORTED,
			"%s cannot be reserved: %s is mounted with data=journal, and its journal would overwrite "
			"the dump",
			path, mount->mount_point);
	return err;
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static struct kd_error *check_attributes(const char *path, int fd)
{
	static const struct {
		unsigned int flag;
		const char *what;
	} refused[] = {
		{ FS_ENCRYPT_FL, "encrypted" },
		{ FS_COMPR_FL, "compressed" },
		{ FS_JOURNAL_DATA_FL, "written through the journal, which would overwrite the dump (\"chattr -j\")" },
		{ FS_INLINE_DATA_FL, "stored in its inode" },
		{ FS_VERITY_FL, "sealed by fs-verity" },
		{ FS_NOCOW_FL, "on a file system that copies on write" },
	};
	struct fsxattr attributes = { 0 };
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return kd_error_os(errno, "cannot read the attributes of %s", path);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if ((unsigned int)flags & refused[i].flag)
			return kd_error_create(KD_ERR_UNSUPPORTED, "%s cannot be reserved: it is %s", path,
					       refused[i].what);
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) == 0 && attributes.fsx_xflags & FS_XFLAG_REALTIME)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s cannot be reserved: it is on the realtime device of xfs",
				       path);
	return NULL;
}

static struct kd_error *check_protection(const char *path, int fd)
{
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return kd_error_os(errno, "cannot read the attributes of %s", path);
	if (flags & FS_IMMUTABLE_FL)
		return NULL;
	return kd_error_create(
		KD_ERR_STATE,
		"%s is not immutable any more, so that its data may move: \"kdumpctl prepare\" protects it again",
		path);
}

/* Where the file's bytes are is of no use if other bytes are meant, or if they are elsewhere tomorrow. */
static const struct {
	uint32_t flag;
	const char *what;
} refused_extents[] = {
	{ FIEMAP_EXTENT_UNKNOWN, "the place of some of its data is not known" },
	{ FIEMAP_EXTENT_DELALLOC, "some of its data has no place yet" },
	{ FIEMAP_EXTENT_ENCODED, "some of its data is compressed or encrypted" },
	{ FIEMAP_EXTENT_DATA_ENCRYPTED, "some of its data is encrypted" },
	{ FIEMAP_EXTENT_NOT_ALIGNED, "some of its data is not in blocks of its own" },
	{ FIEMAP_EXTENT_DATA_INLINE, "some of its data is among the file system's own" },
	{ FIEMAP_EXTENT_DATA_TAIL, "some of its data shares a block with another file's" },
	{ FIEMAP_EXTENT_UNWRITTEN, "some of it was never written" },
	{ FIEMAP_EXTENT_SHARED, "some of its data is shared with another file (a reflink)" },
};

struct kd_error *reserved_take_extents(const struct fiemap_extent *extent, size_t count, uint64_t size,
				       struct kd_extents *ret)
{
	uint64_t end = 0;
	struct kd_error *err = NULL;

	for (size_t i = 0; i < count && end < size && !err; i++) {
		uint64_t length = extent[i].fe_length < size - end ? extent[i].fe_length : size - end;

		if (extent[i].fe_logical != end)
			return kd_error_create(KD_ERR_UNSUPPORTED, "it has a hole at byte %" PRIu64, end);
		for (size_t k = 0; k < ARRAY_SIZE(refused_extents); k++)
			if (extent[i].fe_flags & refused_extents[k].flag)
				return kd_error_create(KD_ERR_UNSUPPORTED, "%s", refused_extents[k].what);
		err = kd_extents_add(ret, extent[i].fe_physical, length);
		end += length;
	}
	if (!err && end < size)
		err = kd_error_create(KD_ERR_UNSUPPORTED, "it has a hole at byte %" PRIu64, end);
	return err;
}

static struct kd_error *map_file(const char *path, int fd, uint64_t size, struct kd_extents *ret)
{
	/* Pieces that touch count as one, and the kernel tells them apart. */
	enum { ROOM = 4 * KD_EXTENTS_MAX };
	_cleanup_free_ struct fiemap *map = calloc(1, sizeof(*map) + ROOM * sizeof(struct fiemap_extent));
	struct kd_error *err;

	if (!map)
		return kd_error_nomem();
	map->fm_length = FIEMAP_MAX_OFFSET;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = ROOM;
	if (ioctl(fd, FS_IOC_FIEMAP, map) < 0)
		return kd_error_os(errno, "cannot tell where the data of %s is", path);
	if (map->fm_mapped_extents == ROOM)
		return kd_error_create(KD_ERR_LIMIT, "%s is in too many pieces: make it where more space is free",
				       path);
	err = reserved_take_extents(map->fm_extents, map->fm_mapped_extents, size, ret);
	return kd_error_wrap(err, "%s cannot be reserved", path);
}

/* What is written below the file system goes out in blocks of the page cache, and must not touch another file's. */
static struct kd_error *check_blocks(const char *path, int fd)
{
	struct statvfs fs;

	if (fstatvfs(fd, &fs) < 0)
		return kd_error_os(errno, "cannot look at the file system of %s", path);
	if (fs.f_frsize % KD_EXTENT_ALIGN == 0)
		return NULL;
	return kd_error_create(
		KD_ERR_UNSUPPORTED,
		"%s cannot be reserved: its file system has blocks of %lu bytes, and multiples of %d are needed "
		"(\"mke2fs -b 4096\")",
		path, fs.f_frsize, KD_EXTENT_ALIGN);
}

static struct kd_error *check_file(const char *path, int fd, struct stat *st)
{
	if (fstat(fd, st) < 0)
		return kd_error_os(errno, "cannot look at %s", path);
	if (!S_ISREG(st->st_mode))
		return kd_error_create(KD_ERR_STATE, "%s is not a file", path);
	if (st->st_nlink != 1)
		return kd_error_create(KD_ERR_STATE, "%s has more names than one", path);
	return kd_trust(path, fd);
}

/* @path is canonical. */
static struct kd_error *locate(const struct kd_sysroot *root, const char *path, bool is_protected,
			       struct kd_extents *ret, char **node)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	struct kd_error *err;

	if (fd < 0)
		return kd_error_os(errno, "cannot open %s", path);
	err = check_file(path, fd, &st);
	if (!err)
		err = check_file_system(root, path);
	if (!err)
		err = check_blocks(path, fd);
	if (!err)
		err = check_attributes(path, fd);
	if (!err && is_protected)
		err = check_protection(path, fd);
	if (!err)
		err = map_file(path, fd, (uint64_t)st.st_size / KD_EXTENT_ALIGN * KD_EXTENT_ALIGN, ret);
	return err ? err : kd_error_wrap(block_by_number(root, st.st_dev, node), "%s", path);
}

struct kd_error *reserved_locate(const struct kd_sysroot *root, const char *path, struct kd_extents *ret, char **node)
{
	_cleanup_(kd_extents_free) struct kd_extents extents = { 0 };
	_cleanup_free_ char *real = NULL;
	struct kd_error *err;

	if (!kd_sysroot_is_live(root))
		return kd_error_create(KD_ERR_UNSUPPORTED, "where another machine has the data of %s cannot be told",
				       path);
	err = kd_sysroot_realpath(root, path, &real);
	if (!err)
		err = locate(root, real, true, &extents, node);
	if (err)
		return err;
	*ret = extents;
	extents = (struct kd_extents){ 0 };
	return NULL;
}

struct kd_error *reserved_describe(const struct kd_sysroot *root, const char *path, char **ret)
{
	_cleanup_(kd_extents_free) struct kd_extents extents = { 0 };
	_cleanup_free_ char *node = NULL, *text = NULL;
	struct kd_error *err = reserved_locate(root, path, &extents, &node);

	if (!err)
		err = kd_extents_format(&extents, &text);
	return err ? err : kd_format(ret, "%s %s", node, text);
}

/* --- making it ---------------------------------------------------------------------------------------------------- */

struct kd_error *reserved_protect(int fd, const char *path, bool protect)
{
	struct fsxattr attributes;
	int flags;

	/* xfs_fsr(8) leaves it alone then, even if it is not immutable for a moment. */
	if (protect && ioctl(fd, FS_IOC_FSGETXATTR, &attributes) == 0 && !(attributes.fsx_xflags & FS_XFLAG_NODEFRAG)) {
		attributes.fsx_xflags |= FS_XFLAG_NODEFRAG;
		(void)ioctl(fd, FS_IOC_FSSETXATTR, &attributes); /* ext4 does not have it */
	}
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return kd_error_os(errno, "cannot read the attributes of %s", path);
	flags = protect ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		return kd_error_os(errno, protect ? "cannot make %s immutable" : "cannot make %s writable", path);
	return NULL;
}

/* Space that is only allocated reads as zeros until it has been written by the file system: so it is. */
static struct kd_error *fill(const char *path, int fd, uint64_t size)
{
	_cleanup_free_ char *zeros = calloc(1, CHUNK);
	int errnum = posix_fallocate(fd, 0, (off_t)size);

	if (!zeros)
		return kd_error_nomem();
	if (errnum)
		return kd_error_os(errnum, "cannot allocate %" PRIu64 " MiB for %s", kd_mib_up(size), path);
	for (uint64_t at = 0; at < size; at += CHUNK)
		if (kd_pwrite_all(fd, zeros, size - at < CHUNK ? size - at : CHUNK, (off_t)at) < 0)
			return kd_error_os(errno, "cannot write %s", path);
	return fsync(fd) < 0 ? kd_error_os(errno, "cannot write %s", path) : kd_sync_parent(path);
}

struct kd_error *reserved_make(const struct kd_sysroot *root, const char *path, uint64_t size)
{
	_cleanup_(kd_extents_free) struct kd_extents extents = { 0 };
	_cleanup_free_ char *node = NULL;
	_cleanup_close_ int fd = -1;
	struct kd_error *err;

	if (!kd_sysroot_is_live(root))
		return kd_error_create(KD_ERR_STATE, "a file is reserved on the running machine only");
	err = check_file_system(root, path);
	if (err)
		return err;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return kd_error_os(errno, "cannot create %s", path);
	err = check_blocks(path, fd);
	if (!err)
		err = fill(path, fd, size);
	if (!err)
		err = locate(root, path, false, &extents, &node);
	if (err)
		unlink(path);
	return err;
}
