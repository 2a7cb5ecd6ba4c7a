/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/external.h"

#include <endian.h>
#include <fcntl.h>
#include <libmount.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"

#define SUPERBLOCK_SIZE 1024 /* the part of it that is looked at */

/* --- superblocks -------------------------------------------------------------------------------------------------- */

static uint64_t be64(const unsigned char *superblock, size_t place)
{
	uint64_t value;

	memcpy(&value, superblock + place, sizeof(value));
	return be64toh(value);
}

static uint32_t le32(const unsigned char *superblock, size_t place)
{
	uint32_t value;

	memcpy(&value, superblock + place, sizeof(value));
	return le32toh(value);
}

/* struct xfs_dsb, Linux fs/xfs/libxfs/xfs_format.h. sb_rtstart: where a realtime section starts that lies on the device
 * itself (Linux 6.15, zoned). */
#define XFS_MAGIC     0
#define XFS_RBLOCKS   16
#define XFS_LOG_START 48
#define XFS_RT_START  288

static const char *look_at_xfs(const unsigned char *superblock)
{
	if (memcmp(superblock + XFS_MAGIC, "XFSB", 4) != 0)
		return NULL;
	if (!be64(superblock, XFS_LOG_START))
		return "an external log";
	return be64(superblock, XFS_RBLOCKS) && !be64(superblock, XFS_RT_START) ? "a realtime device" : NULL;
}

/* struct ext4_super_block, Linux fs/ext4/ext4.h. An internal journal is an inode, an external one has a device. */
#define EXT_MAGIC          0x38
#define EXT_COMPAT         0x5c
#define EXT_HAS_JOURNAL    0x4
#define EXT_JOURNAL_INODE  0xe0
#define EXT_JOURNAL_DEVICE 0xe4

static const char *look_at_ext(const unsigned char *superblock)
{
	bool journal = memcmp(superblock + EXT_MAGIC, "\x53\xef", 2) == 0 &&
		       (le32(superblock, EXT_COMPAT) & EXT_HAS_JOURNAL);

	return journal && (!le32(superblock, EXT_JOURNAL_INODE) || le32(superblock, EXT_JOURNAL_DEVICE)) ?
		       "an external journal" :
		       NULL;
}

/* struct btrfs_super_block, Linux include/uapi/linux/btrfs_tree.h. */
#define BTRFS_MAGIC   64
#define BTRFS_DEVICES 136

static const char *look_at_btrfs(const unsigned char *superblock)
{
	bool several = le32(superblock, BTRFS_DEVICES) > 1 || le32(superblock, BTRFS_DEVICES + 4);

	return memcmp(superblock + BTRFS_MAGIC, "_BHRfS_M", 8) == 0 && several ? "several devices" : NULL;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

#define EXTERNAL_JOURNAL "an external journal"
#define EXT_REMEDY                                                                                                     \
	"while it is not mounted, \"tune2fs -O ^has_journal\" and then \"tune2fs -j\" give it an internal one"
#define BTRFS_REMEDY "\"btrfs device remove\" takes all but one away"
#define XFS_REMEDY   "only mkfs.xfs can change that, and it erases the file system"

/* clang-format off */
static const struct file_system {
	const char *type; /* a beginning */
	off_t place; /* of the superblock */
	const char *(*look)(const unsigned char *superblock);
	struct { const char *name, *what; } option[2];
	const char *remedy;
} file_systems[] = {
	{ "ext", 1024, look_at_ext, { { "journal_path", EXTERNAL_JOURNAL }, { "journal_dev", EXTERNAL_JOURNAL } }, EXT_REMEDY },
	{ "btrfs", 65536, look_at_btrfs, { { "device", "several devices" }, { NULL, NULL } }, BTRFS_REMEDY },
	{ "xfs", 0, look_at_xfs, { { "logdev", "an external log" }, { "rtdev", "a realtime device" } }, XFS_REMEDY },
};
/* clang-format on */

/* What the options say lies elsewhere; NULL: nothing. */
static const char *look_at_options(const struct file_system *fs, const char *options)
{
	for (size_t i = 0; i < ARRAY_SIZE(fs->option); i++)
		if (fs->option[i].name && mnt_optstr_get_option(options, fs->option[i].name, NULL, NULL) == 0)
			return fs->option[i].what;
	return NULL;
}

/* The same by the superblock. Only root can read it; everybody else has the options. */
static const char *look_at_device(const struct kd_sysroot *root, const struct file_system *fs, const char *node)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, node, O_RDONLY | O_NONBLOCK);
	unsigned char superblock[SUPERBLOCK_SIZE];

	if (fd < 0 || kd_pread_all(fd, superblock, sizeof(superblock), fs->place) != sizeof(superblock))
		return NULL;
	return fs->look(superblock);
}

struct kd_error *external_check(const struct kd_sysroot *root, const char *type, const char *node, const char *options)
{
	for (size_t i = 0; i < ARRAY_SIZE(file_systems); i++) {
		const struct file_system *fs = &file_systems[i];
		const char *what;

		if (!kd_starts_with(type, fs->type))
			continue;
		what = look_at_options(fs, options);
		if (!what)
			what = look_at_device(root, fs, node);
		if (what)
			return kd_error_create(
				KD_ERR_UNSUPPORTED,
				"the %s file system on %s has %s, but the capture mounts one device: %s; or "
				"choose another dump target",
				type, node, what, fs->remedy);
	}
	return NULL;
}
