/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a directive of kdump.conf to the target in the plan. */
#include <stdio.h>

#include "base/array.h"
#include "kdump/config/conf.h"
#include "kdump/storage/objects.h"
#include "kdump/storage/target.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

/* A block device as udev and sysfs show it. */
static void put_device(struct tree *m, const char *name, const char *number, const char *uuid)
{
	char path[256], text[256];

	snprintf(path, sizeof(path), "/dev/%s", name);
	tree_text(m, path, "");
	snprintf(path, sizeof(path), "/sys/class/block/%s/dev", name);
	snprintf(text, sizeof(text), "%s\n", number);
	tree_text(m, path, text);
	snprintf(path, sizeof(path), "/sys/dev/block/%s/uevent", number);
	snprintf(text, sizeof(text), "MAJOR=254\nDEVNAME=%s\nDEVTYPE=partition\n", name);
	tree_text(m, path, text);
	if (!uuid)
		return;
	snprintf(path, sizeof(path), "/dev/disk/by-uuid/%s", uuid);
	snprintf(text, sizeof(text), "../../%s", name);
	tree_link(m, path, text);
}

static void parse_conf(const char *text, struct kd_conf *conf)
{
	assert_no_error(
		kd_conf_parse(&(struct kd_conf_text){ .file = "/etc/kdump.conf", .text = text }, 1, conf, NULL, NULL));
}

static struct kd_error *resolve(struct tree *m, const char *conf_text, struct target *target)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct target_request request;

	parse_conf(conf_text, &conf);
	request = kd_conf_target(&conf);
	return target_resolve(&m->root, &request, NULL, target);
}

static void expect_target(struct tree *m, const char *conf, const char *expected)
{
	_cleanup_(target_free) struct target t = { 0 };
	char found[1024];
	size_t used;

	assert_no_error(resolve(m, conf, &t));
	used = (size_t)snprintf(found, sizeof(found), "%s %s [%s] %s", t.type, t.device, t.options, t.path);
	for (size_t i = 0; i < TARGET_PARTS && t.part[i].node; i++)
		used += (size_t)snprintf(found + used, sizeof(found) - used, " %s %s", t.part[i].option,
					 t.part[i].node);
	assert_string_equal(found, expected);
}

static void expect_refused(struct tree *m, const char *conf, enum kd_error_code code, const char *text)
{
	struct target t = { 0 };

	assert_error(resolve(m, conf, &t), code, text);
	assert_null(t.type);
}

#define ROOT_MOUNT "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/root rw,errors=remount-ro\n"

static void put_root(struct tree *m, const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text), ROOT_MOUNT "%s", more);
	tree_text(m, "/proc/self/mountinfo", text);
	put_device(m, "vda1", "254:1", "aaaa-1");
	tree_directory(m, "/var/crash");
}

static void test_target_plain(void **state)
{
	struct tree *m = *state;

	put_root(m, "");
	expect_target(m, "", "ext4 UUID=aaaa-1 [] /var/crash");
	tree_directory(m, "/srv/dumps");
	expect_target(m, "path /srv/dumps", "ext4 UUID=aaaa-1 [] /srv/dumps");
	tree_link(m, "/dumps", "/srv/dumps");
	expect_target(m, "path /dumps", "ext4 UUID=aaaa-1 [] /srv/dumps");
}

static void test_target_separate_var(void **state)
{
	struct tree *m = *state;

	put_root(m, "30 22 254:2 / /var rw,relatime - xfs /dev/vda2 rw,attr2\n");
	put_device(m, "vda2", "254:2", "bbbb-2");
	expect_target(m, "", "xfs UUID=bbbb-2 [] /crash");
}

static void test_target_bind(void **state)
{
	struct tree *m = *state;

	put_root(m, "30 22 254:2 /exports/dumps /var/crash rw - ext4 /dev/vda2 rw\n");
	put_device(m, "vda2", "254:2", "bbbb-2");
	expect_target(m, "", "ext4 UUID=bbbb-2 [] /exports/dumps");
	/* Named, path counts from the top of the file system, of which only this part is mounted. */
	expect_target(m, "ext4 /dev/vda2\npath /exports/dumps", "ext4 UUID=bbbb-2 [] /exports/dumps");
	expect_refused(m, "ext4 /dev/vda2\npath /other", KD_ERR_NOT_FOUND, "directory /other does not exist");
}

static void test_target_btrfs(void **state)
{
	struct tree *m = *state;

	tree_text(m, "/proc/self/mountinfo",
		  "22 1 0:30 /@ / rw,relatime - btrfs /dev/vda1 rw,subvolid=256,subvol=/@\n"
		  "30 22 0:30 /@/srv/x /mnt/bind rw - btrfs /dev/vda1 rw,subvolid=256,subvol=/@\n"
		  "31 22 0:30 /@data /data rw - btrfs /dev/vda1 rw,subvolid=257,subvol=/@data\n");
	put_device(m, "vda1", "254:1", "cccc-3");
	tree_directory(m, "/var/crash");
	tree_directory(m, "/mnt/bind/d");
	tree_directory(m, "/data/crash");
	expect_target(m, "", "btrfs UUID=cccc-3 [subvolid=5] /@/var/crash");
	expect_target(m, "path /mnt/bind/d", "btrfs UUID=cccc-3 [subvolid=5] /@/srv/x/d");
	expect_target(m, "path /data/crash", "btrfs UUID=cccc-3 [subvolid=5] /@data/crash");
	/* Named, path counts from the subvolume in which it is found. */
	expect_target(m, "btrfs UUID=cccc-3\npath /crash", "btrfs UUID=cccc-3 [subvolid=5] /@data/crash");
}

static void test_target_refused(void **state)
{
	struct tree *m = *state;

	tree_text(m, "/proc/self/mountinfo",
		  "22 1 0:40 / / rw - overlay overlay rw,lowerdir=/l\n"
		  "23 22 0:41 / /run rw - tmpfs tmpfs rw\n");
	tree_directory(m, "/var/crash");
	tree_directory(m, "/run/x");
	expect_refused(m, "", KD_ERR_UNSUPPORTED,
		       "path /var/crash lies on overlay (mounted at /), which combines directories");
	expect_refused(m, "path /run/x", KD_ERR_UNSUPPORTED, "tmpfs (mounted at /run), which lies in memory");
}

static void test_target_read_only(void **state)
{
	struct tree *m = *state;

	put_root(m, "30 22 254:2 / /srv rw - ext4 /dev/vda2 ro\n31 22 254:1 /var /ro ro - ext4 /dev/vda1 rw\n");
	put_device(m, "vda2", "254:2", "bbbb-2");
	tree_directory(m, "/srv/d");
	tree_directory(m, "/ro/crash");
	expect_refused(m, "path /srv/d", KD_ERR_STATE, "mounted read-only at /srv: \"mount -o remount,rw /srv\"");
	expect_refused(m, "path /ro/crash", KD_ERR_STATE, "mounted read-only at /ro");
	expect_refused(m, "ext4 UUID=bbbb-2\npath /d", KD_ERR_STATE, "UUID=bbbb-2 is mounted read-only at /srv");
	tree_text(m, "/sys/class/block/vda1/ro", "1\n");
	expect_refused(m, "", KD_ERR_STATE, "/dev/vda1 is write-protected");
}

static void test_target_missing_path(void **state)
{
	struct tree *m = *state;
	_cleanup_(target_free) struct target t = { 0 };

	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT);
	put_device(m, "vda1", "254:1", "aaaa-1");
	tree_directory(m, "/var");
	expect_refused(m, "path /srv/none", KD_ERR_NOT_FOUND, "\"mkdir -p /srv/none\" creates it");
	/* The default directory is made by start. */
	assert_no_error(resolve(m, "", &t));
	assert_string_equal(t.path, "/var/crash");
	assert_string_equal(t.directory, "/var/crash");
	expect_refused(m, "ext4 /dev/vda1\npath /none", KD_ERR_NOT_FOUND, "\"mkdir -p /none\" creates it");
}

static void test_target_named(void **state)
{
	struct tree *m = *state;

	put_root(m, "30 22 254:2 / /srv rw - xfs /dev/vda2 rw\n");
	put_device(m, "vda2", "254:2", "bbbb-2");
	tree_link(m, "/dev/disk/by-label/dump\\x20disk", "../../vda2");
	tree_link(m, "/dev/disk/by-partlabel/dumps", "../../vda2");
	tree_directory(m, "/srv/d");
	expect_target(m, "xfs /dev/vda2\npath /d", "xfs UUID=bbbb-2 [] /d");
	expect_target(m, "xfs UUID=bbbb-2\npath /d", "xfs UUID=bbbb-2 [] /d");
	expect_target(m, "xfs LABEL=\"dump disk\"\npath /d", "xfs UUID=bbbb-2 [] /d");
	expect_target(m, "xfs PARTLABEL=dumps\npath /d", "xfs UUID=bbbb-2 [] /d");
	expect_refused(m, "path /d\next4 /dev/vda2", KD_ERR_CONFIG,
		       "/etc/kdump.conf:2: /dev/vda2 holds xfs, not ext4: write \"xfs /dev/vda2\"");
	expect_refused(m, "ext4 /dev/vdz1", KD_ERR_NOT_FOUND, "/etc/kdump.conf:1: there is no device /dev/vdz1");
	expect_refused(m, "ext4 UUID=dead", KD_ERR_NOT_FOUND, "there is no device UUID=dead");
	expect_refused(m, "ext4 UUID=../../etc", KD_ERR_NOT_FOUND, "there is no device");
	expect_refused(m, "xfs UUID=BBBB-2", KD_ERR_NOT_FOUND,
		       "/etc/kdump.conf:1: there is no device UUID=BBBB-2: did you mean \"UUID=bbbb-2\"?");
	tree_link(m, "/dev/disk/by-partuuid/00ab-1", "../../vda2");
	expect_refused(m, "xfs PARTUUID=00AB-1", KD_ERR_NOT_FOUND, "did you mean \"PARTUUID=00ab-1\"?");
	expect_refused(m, "xfs PARTLABEL=Dumps", KD_ERR_NOT_FOUND, "did you mean \"PARTLABEL=dumps\"?");
}

static void test_target_fstab(void **state)
{
	struct tree *m = *state;

	put_root(m, "");
	put_device(m, "vdb1", "254:17", "dddd-4");
	expect_refused(m, "ext4 /dev/vdb1", KD_ERR_NOT_FOUND,
		       "Dump target \"/dev/vdb1\" is neither mounted nor in /etc/fstab");
	tree_text(m, "/etc/fstab",
		  "# no\nUUID=aaaa-1 / ext4 defaults 0 1\nUUID=dddd-4 /dump ext4 noauto,noatime 0 0\n");
	expect_target(m, "ext4 /dev/vdb1", "ext4 UUID=dddd-4 [] /var/crash");
	tree_text(m, "/etc/fstab", "UUID=dddd-4 /dump btrfs noauto,subvol=@dump,compress=zstd 0 0\n");
	expect_target(m, "btrfs /dev/vdb1\npath /", "btrfs UUID=dddd-4 [subvol=@dump] /");
}

/* A path that is no directory is refused whatever it is instead. */
static void test_target_path_is_no_directory(void **state)
{
	struct tree *m = *state;

	put_root(m, "");
	tree_text(m, "/srv/file", "");
	tree_link(m, "/srv/to-file", "file");
	tree_link(m, "/srv/dangling", "/gone/dumps");
	tree_link(m, "/srv/loop", "loop");
	expect_refused(m, "path /srv/file", KD_ERR_CONFIG,
		       "path /srv/file (/etc/kdump.conf) is not a directory: name a directory");
	expect_refused(m, "path /srv/file/below", KD_ERR_NOT_FOUND, "path /srv/file/below (/etc/kdump.conf) does not");
	expect_refused(m, "path /srv/to-file", KD_ERR_CONFIG,
		       "path /srv/to-file (/etc/kdump.conf), which leads to /srv/file, is not a directory");
	expect_refused(m, "path /srv/dangling", KD_ERR_NOT_FOUND,
		       "which leads to /gone/dumps, does not exist: \"mkdir -p /gone/dumps\" creates it");
	expect_refused(m, "path /srv/loop", KD_ERR_OS, "path (/etc/kdump.conf): cannot resolve ");
	/* The default directory is made by start, but not through a link that leads to nothing. */
	tree_delete(m, "/var/crash");
	expect_target(m, "", "ext4 UUID=aaaa-1 [] /var/crash");
	tree_link(m, "/var/crash", "/gone/dumps");
	expect_refused(m, "", KD_ERR_NOT_FOUND, "which leads to /gone/dumps, does not exist");
	tree_delete(m, "/var/crash");
	tree_text(m, "/var/crash", "");
	expect_refused(m, "", KD_ERR_CONFIG, "path /var/crash (/etc/kdump.conf) is not a directory");
}

/* The same on a target that is named: the capture sees nothing of this machine but the target. */
static void test_target_named_path_is_no_directory(void **state)
{
	struct tree *m = *state;

	put_root(m, "30 22 254:2 / /srv rw - xfs /dev/vda2 rw\n31 30 254:3 / /srv/other rw - xfs /dev/vda3 rw\n");
	put_device(m, "vda2", "254:2", "bbbb-2");
	tree_text(m, "/srv/file", "");
	tree_directory(m, "/srv/real/dumps");
	tree_directory(m, "/srv/other/dumps");
	tree_link(m, "/srv/dangling", "gone");
	tree_link(m, "/srv/inside", "/srv/real");
	tree_link(m, "/srv/outside", "/var");
	expect_refused(
		m, "xfs UUID=bbbb-2\npath /file", KD_ERR_CONFIG,
		"/file on the dump target UUID=bbbb-2 is not a directory: choose another path in /etc/kdump.conf");
	expect_refused(m, "xfs UUID=bbbb-2\npath /dangling", KD_ERR_NOT_FOUND, "\"mkdir -p /srv/gone\" creates it");
	expect_target(m, "xfs UUID=bbbb-2\npath /inside/dumps", "xfs UUID=bbbb-2 [] /real/dumps");
	expect_refused(m, "xfs UUID=bbbb-2\npath /outside/crash", KD_ERR_CONFIG,
		       "/srv/outside/crash leads to another file system");
	expect_refused(m, "xfs UUID=bbbb-2\npath /other/dumps", KD_ERR_CONFIG,
		       "/srv/other/dumps leads to another file system");
}

/* What fstab mounts over the path, and has not yet, is the target. A dump below the mount point would be hidden. */
static void test_target_unmounted(void **state)
{
	struct tree *m = *state;

	put_root(m, "");
	put_device(m, "vdb1", "254:17", "dddd-4");
	tree_directory(m, "/data/dumps");
	tree_directory(m, "/other");
	tree_link(m, "/dumps", "/data/dumps");
	tree_link(m, "/later", "/data/later");
	expect_target(m, "path /data/dumps", "ext4 UUID=aaaa-1 [] /data/dumps");
	tree_text(m, "/etc/fstab",
		  "UUID=aaaa-1 / ext4 defaults 0 1\n/dev/vda3 none swap sw 0 0\n"
		  "UUID=dddd-4 /data xfs nofail,x-systemd.automount 0 0\n");
	expect_target(m, "path /data/dumps", "xfs UUID=dddd-4 [] /dumps");
	expect_target(m, "path /data", "xfs UUID=dddd-4 [] /");
	expect_target(m, "path /dumps", "xfs UUID=dddd-4 [] /dumps");
	expect_target(m, "path /later", "xfs UUID=dddd-4 [] /later");
	expect_target(m, "path /other", "ext4 UUID=aaaa-1 [] /other");
	/* A mount point may itself be reached by a link. */
	tree_text(m, "/etc/fstab", "UUID=dddd-4 /mnt/link xfs noauto 0 0\n");
	tree_link(m, "/mnt/link", "../data");
	expect_target(m, "path /data/dumps", "xfs UUID=dddd-4 [] /dumps");
	tree_text(m, "/etc/fstab", "UUID=dddd-4 /data btrfs noauto,subvol=@dump,compress=zstd 0 0\n");
	expect_target(m, "path /data/dumps", "btrfs UUID=dddd-4 [subvol=@dump] /dumps");
	tree_text(m, "/etc/fstab", "UUID=none /data xfs nofail 0 0\n");
	expect_refused(
		m, "path /data/dumps", KD_ERR_NOT_FOUND,
		"path /data/dumps (/etc/kdump.conf) lies on the file system that /etc/fstab mounts at /data, and "
		"that is not mounted (\"mount /data\" mounts it): there is no device UUID=none");
	tree_text(m, "/etc/fstab", "//server/x /data cifs nofail 0 0\n");
	expect_refused(m, "path /data/dumps", KD_ERR_UNSUPPORTED, "is on the network");
	tree_text(m, "/etc/fstab", "/home/data /data none bind,nofail 0 0\n");
	expect_refused(m, "path /data/dumps", KD_ERR_UNSUPPORTED, "\"mount /data\" mounts it");
}

/* Once it is mounted, at its place or at another one, the table of mounts tells. */
static void test_target_mounted_after_all(void **state)
{
	struct tree *m = *state;

	put_device(m, "vdb1", "254:17", "dddd-4");
	tree_directory(m, "/data/dumps");
	tree_directory(m, "/mnt/dumps");
	tree_text(m, "/etc/fstab", "UUID=dddd-4 /data xfs nofail 0 0\n");
	put_root(m, "30 22 254:17 /sub /data rw - xfs /dev/vdb1 rw\n");
	expect_target(m, "path /data/dumps", "xfs UUID=dddd-4 [] /sub/dumps");
	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT "30 22 254:17 / /mnt rw - xfs /dev/vdb1 rw\n");
	expect_target(m, "path /data/dumps", "xfs UUID=dddd-4 [] /dumps");
	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT "30 22 254:17 / /mnt ro - xfs /dev/vdb1 rw\n");
	expect_refused(m, "path /data/dumps", KD_ERR_STATE, "mounted read-only at /mnt");
	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT "30 22 254:17 / /mnt rw - ext4 /dev/vdb1 rw\n");
	expect_refused(m, "path /data/dumps", KD_ERR_CONFIG, "/etc/fstab: UUID=dddd-4 holds ext4, not xfs");
}

/* An automount that could not be triggered: fstab may tell what is behind it. */
static void test_target_automount(void **state)
{
	struct tree *m = *state;

	put_root(m, "30 22 0:40 / /data rw - autofs systemd-1 rw,direct\n");
	put_device(m, "vdb1", "254:17", "dddd-4");
	tree_directory(m, "/data/dumps");
	expect_refused(m, "path /data/dumps", KD_ERR_UNSUPPORTED,
		       "autofs (mounted at /data), which is an automount on which nothing could be mounted");
	tree_text(m, "/etc/fstab", "UUID=dddd-4 /data xfs x-systemd.automount 0 0\n");
	expect_target(m, "path /data/dumps", "xfs UUID=dddd-4 [] /dumps");
}

#define SUPERBLOCK_SIZE 4096

static void put_be64(unsigned char *disk, size_t place, uint64_t value)
{
	for (size_t i = 0; i < 8; i++)
		disk[place + i] = value >> (56 - 8 * i);
}

/* Only what mkfs.xfs and mkfs.ext4 write where tests/cases/kdumpctl-storage compares real ones. */
static void put_xfs(struct tree *m, uint64_t log_start, uint64_t realtime_blocks, uint64_t realtime_start)
{
	unsigned char disk[SUPERBLOCK_SIZE] = "XFSB";

	put_be64(disk, 16, realtime_blocks);
	put_be64(disk, 48, log_start);
	put_be64(disk, 288, realtime_start);
	tree_write(m, "/dev/vdb1", disk, sizeof(disk));
}

static void put_ext4(struct tree *m, unsigned char compat, unsigned char journal_inode, unsigned char journal_device)
{
	unsigned char disk[SUPERBLOCK_SIZE] = { 0 };

	memcpy(disk + 1024 + 0x38, "\x53\xef", 2);
	disk[1024 + 0x5c] = compat;
	disk[1024 + 0xe0] = journal_inode;
	disk[1024 + 0xe5] = journal_device;
	memset(disk + 1024 + 0xd0, 0x4a, 16);
	tree_write(m, "/dev/vdb1", disk, sizeof(disk));
}

static void put_btrfs(struct tree *m, const char *node, unsigned char id, unsigned char devices)
{
	static unsigned char disk[65536 + SUPERBLOCK_SIZE];

	memset(disk + 65536 + 32, id, 16);
	memcpy(disk + 65536 + 64, "_BHRfS_M", 8);
	disk[65536 + 136] = devices;
	tree_write(m, node, disk, sizeof(disk));
}

/* An ext4 journal on a device of its own, with a UUID of @id. */
static void put_journal(struct tree *m, const char *node, unsigned char id)
{
	unsigned char disk[SUPERBLOCK_SIZE] = { 0 };

	memcpy(disk + 1024 + 0x38, "\x53\xef", 2);
	disk[1024 + 0x60] = 8;
	memset(disk + 1024 + 0x68, id, 16);
	tree_write(m, node, disk, sizeof(disk));
}

#define ON_XFS "30 22 254:17 / /data rw - xfs /dev/vdb1 rw,attr2"

/* A file system with a log or data on another device: the capture mounts it with that. */
static void test_target_external(void **state)
{
	struct tree *m = *state;

	put_root(m, "");
	put_device(m, "vdb1", "254:17", "dddd-4");
	put_device(m, "vdc1", "254:33", NULL);
	put_device(m, "vdc2", "254:34", NULL);
	tree_directory(m, "/data/dumps");
	/* What everybody can see. */
	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT ON_XFS "\n");
	expect_target(m, "path /data/dumps", "xfs UUID=dddd-4 [] /dumps");
	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT ON_XFS ",logdev=/dev/vdc1\n");
	expect_target(m, "path /data/dumps",
		      "xfs UUID=dddd-4 [logdev=volume:logdev0-of-dddd-4] /dumps logdev /dev/vdc1");
	expect_target(m, "xfs UUID=dddd-4\npath /dumps",
		      "xfs UUID=dddd-4 [logdev=volume:logdev0-of-dddd-4] /dumps logdev /dev/vdc1");
	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT ON_XFS ",logdev=/dev/vdc1,rtdev=/dev/vdc2\n");
	expect_target(m, "path /data/dumps",
		      "xfs UUID=dddd-4 [logdev=volume:logdev0-of-dddd-4,rtdev=volume:rtdev1-of-dddd-4] /dumps "
		      "logdev /dev/vdc1 rtdev /dev/vdc2");
	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT ON_XFS ",logdev=/dev/gone\n");
	expect_refused(m, "path /data/dumps", KD_ERR_NOT_FOUND, "/dev/gone");
	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT);
	tree_text(m, "/etc/fstab", "UUID=dddd-4 /data ext4 noauto,journal_path=/dev/vdc1 0 0\n");
	expect_target(m, "path /data/dumps",
		      "ext4 UUID=dddd-4 [journal_path=volume:journal_path0-of-dddd-4] /dumps journal_path /dev/vdc1");
	tree_delete(m, "/etc/fstab");
}

/* What only the superblock tells. */
static void test_target_external_superblock(void **state)
{
	struct tree *m = *state;

	put_root(m, "");
	put_device(m, "vdb1", "254:17", "dddd-4");
	put_device(m, "vdc1", "254:33", NULL);
	put_device(m, "vdc2", "254:34", NULL);
	tree_directory(m, "/data/dumps");
	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT ON_XFS "\n");
	put_xfs(m, 4096, 0, 0);
	expect_target(m, "path /data/dumps", "xfs UUID=dddd-4 [] /dumps");
	put_xfs(m, 0, 0, 0);
	expect_refused(m, "path /data/dumps", KD_ERR_UNSUPPORTED,
		       "the xfs file system on /dev/vdb1 has an external log, and nothing tells which device that is");
	put_xfs(m, 4096, 1 << 20, 0);
	expect_refused(m, "path /data/dumps", KD_ERR_UNSUPPORTED, "has a realtime device");
	put_xfs(m, 4096, 1 << 20, 8192); /* on the device itself */
	expect_target(m, "path /data/dumps", "xfs UUID=dddd-4 [] /dumps");
	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT "30 22 254:17 / /data rw - ext4 /dev/vdb1 rw\n");
	put_ext4(m, 0, 0, 0); /* no journal */
	expect_target(m, "path /data/dumps", "ext4 UUID=dddd-4 [] /dumps");
	put_ext4(m, 4, 8, 0);
	expect_target(m, "path /data/dumps", "ext4 UUID=dddd-4 [] /dumps");
	put_journal(m, "/dev/vdc2", 9); /* another file system's */
	put_ext4(m, 4, 0, 7);
	expect_refused(m, "path /data/dumps", KD_ERR_UNSUPPORTED, "no device of this machine is that journal");
	put_journal(m, "/dev/vdc1", 0x4a);
	expect_target(m, "path /data/dumps",
		      "ext4 UUID=dddd-4 [journal_path=volume:journal_path0-of-dddd-4] /dumps journal_path /dev/vdc1");
	put_journal(m, "/dev/vdc2", 0x4a); /* a copy, unless another device stands on it */
	expect_refused(m, "path /data/dumps", KD_ERR_UNSUPPORTED, "several devices are that journal");
	tree_directory(m, "/sys/class/block/vdc2/holders/dm-0");
	expect_target(m, "path /data/dumps",
		      "ext4 UUID=dddd-4 [journal_path=volume:journal_path0-of-dddd-4] /dumps journal_path /dev/vdc1");
}

static void test_target_btrfs_devices(void **state)
{
	static const char fsid[] = "/sys/fs/btrfs/07070707-0707-0707-0707-070707070707/devices";
	static const char both[] =
		"btrfs UUID=dddd-4 [subvolid=5,device=volume:device0-of-dddd-4] /dumps device /dev/vdc1";
	struct tree *m = *state;
	char path[128];

	put_root(m, "30 22 0:30 / /data rw - btrfs /dev/vdb1 rw\n");
	put_device(m, "vdb1", "254:17", "dddd-4");
	put_device(m, "vdc1", "254:33", NULL);
	put_device(m, "vdc2", "254:34", NULL);
	tree_directory(m, "/data/dumps");
	put_btrfs(m, "/dev/vdb1", 7, 1);
	expect_target(m, "path /data/dumps", "btrfs UUID=dddd-4 [subvolid=5] /dumps");
	put_btrfs(m, "/dev/vdb1", 7, 2);
	put_btrfs(m, "/dev/vdc2", 8, 2); /* another file system's */
	expect_refused(m, "path /data/dumps", KD_ERR_UNSUPPORTED,
		       "btrfs file system on /dev/vdb1 has several devices, and of its 2 devices 1 were found");
	put_btrfs(m, "/dev/vdc1", 7, 2);
	expect_target(m, "path /data/dumps", both);
	/* While it is mounted the kernel's list counts. */
	put_btrfs(m, "/dev/vdc1", 8, 2);
	snprintf(path, sizeof(path), "%s/vdb1", fsid);
	tree_directory(m, path);
	expect_refused(m, "path /data/dumps", KD_ERR_UNSUPPORTED, "of its 2 devices 1 were found");
	snprintf(path, sizeof(path), "%s/vdc1", fsid);
	tree_directory(m, path);
	expect_target(m, "path /data/dumps", both);
	put_btrfs(m, "/dev/vdb1", 7, 200);
	for (unsigned int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "%s/vdx%u", fsid, i);
		tree_directory(m, path);
	}
	expect_refused(m, "path /data/dumps", KD_ERR_LIMIT, "has more than 16 devices");
}

#define CLONE     "0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a"
#define ON_SRV(n) ROOT_MOUNT "30 22 254:" n " / /srv rw - ext4 /dev/x rw\n"

/* A device with the superblock of an ext4 file system whose UUID is CLONE. */
static void put_clone(struct tree *m, const char *name, const char *number)
{
	unsigned char disk[64 << 10] = { 0 };
	char path[256];

	put_device(m, name, number, NULL);
	snprintf(path, sizeof(path), "/dev/%s", name);
	memcpy(disk + 1024 + 0x38, "\x53\xef", 2);
	disk[1024 + 0x60] = 0x40; /* extents */
	memset(disk + 1024 + 0x68, 0x0a, 16);
	tree_write(m, path, disk, sizeof(disk));
}

static void put_serial(struct tree *m, const char *disk, const char *serial)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/class/block/%s/serial", disk);
	tree_text(m, path, serial);
}

/* A clone of the target's disk is there too, and udev's link leads to it. The mounted one is meant. */
static void test_target_clone(void **state)
{
	static const char *const names[] = { "ext4 UUID=" CLONE "\npath /d",
					     "ext4 /dev/disk/by-uuid/" CLONE "\npath /d", "path /srv/d",
					     "ext4 /dev/vdb\npath /d" };
	struct tree *m = *state;

	put_root(m, "");
	put_clone(m, "vdb", "254:16");
	put_clone(m, "vdc", "254:32");
	put_serial(m, "vdb", "BBB\n");
	put_serial(m, "vdc", "CCC\n");
	tree_link(m, "/dev/disk/by-uuid/" CLONE, "../../vdc");
	tree_directory(m, "/srv/d");
	tree_text(m, "/proc/self/mountinfo", ON_SRV("16"));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		expect_target(m, names[i], "ext4 DISK=BBB,UUID=" CLONE " [] /d");
	tree_text(m, "/proc/self/mountinfo", ON_SRV("32"));
	expect_target(m, names[0], "ext4 DISK=CCC,UUID=" CLONE " [] /d");
	/* Neither is mounted: which is meant cannot be told, unless it is named otherwise. */
	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT);
	tree_text(m, "/etc/fstab", "UUID=" CLONE " /data ext4 noauto 0 0\n/dev/vdb /srv ext4 noauto 0 0\n");
	expect_refused(m, names[0], KD_ERR_CONFIG, "/dev/vdc and /dev/vdb both carry UUID=" CLONE ": name the one");
	expect_refused(m, names[1], KD_ERR_CONFIG, "both carry");
	expect_refused(m, "path /data/d", KD_ERR_CONFIG, "both carry UUID=" CLONE);
	expect_target(m, names[3], "ext4 DISK=BBB,UUID=" CLONE " [] /d");
	/* Both are mounted. */
	tree_text(m, "/proc/self/mountinfo", ON_SRV("16") "31 22 254:32 / /mnt rw - ext4 /dev/y rw\n");
	expect_refused(m, names[0], KD_ERR_CONFIG, "/dev/vdb and /dev/vdc both carry");
	expect_target(m, names[2], "ext4 DISK=BBB,UUID=" CLONE " [] /d");
}

/* The capture must be able to tell a clone from the target. */
static void test_target_clone_without_identity(void **state)
{
	struct tree *m = *state;

	put_root(m, "");
	put_clone(m, "vdb", "254:16");
	put_clone(m, "vdc", "254:32");
	tree_directory(m, "/srv/d");
	tree_text(m, "/proc/self/mountinfo", ON_SRV("16"));
	expect_refused(m, "path /srv/d", KD_ERR_CONFIG,
		       "/dev/vdb and /dev/vdc have the same UUID " CLONE ", and neither the serial number");
	/* The capture leaves alone what has holders. */
	tree_directory(m, "/sys/class/block/vdc/holders/dm-0");
	expect_target(m, "path /srv/d", "ext4 UUID=" CLONE " [] /d");
	tree_delete(m, "/sys/class/block/vdc/holders/dm-0");
	put_serial(m, "vdc", "CCC\n"); /* says nothing of vdb */
	expect_refused(m, "path /srv/d", KD_ERR_CONFIG, "have the same UUID");
	put_serial(m, "vdb", "BBB\n");
	expect_target(m, "path /srv/d", "ext4 DISK=BBB,UUID=" CLONE " [] /d");
	/* The same serial number twice, as clones of virtual machines have, or the same disk. */
	put_serial(m, "vdc", "BBB\n");
	expect_refused(m, "path /srv/d", KD_ERR_CONFIG, "have the same UUID");
	tree_link(m, "/dev/disk/by-partuuid/0001", "../../vdb");
	tree_link(m, "/dev/disk/by-partuuid/0002", "../../vdc");
	expect_target(m, "path /srv/d", "ext4 DISK=BBB,PARTUUID=0001,UUID=" CLONE " [] /d");
	/* A volume is told by its name. */
	tree_text(m, "/sys/class/block/vdb/dm/name", "vg-dumps\n");
	expect_target(m, "path /srv/d", "ext4 volume:vg-dumps,PARTUUID=0001,UUID=" CLONE " [] /d");
}

/* Without udev links the plan has the kernel's name of the device. */
static void test_target_without_uuid(void **state)
{
	struct tree *m = *state;

	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT);
	put_device(m, "vda1", "254:1", NULL);
	tree_directory(m, "/var/crash");
	expect_target(m, "", "ext4 /dev/vda1 [] /var/crash");
}

#define NFS_MOUNT                                                                                                         \
	"30 22 0:44 / /mnt/dumps rw,relatime shared:9 - nfs4 server:/dumps rw,vers=4.2,rsize=262144,wsize=262144,namlen=" \
	"255,hard,proto=tcp,port=20490,timeo=600,retrans=2,sec=sys,clientaddr=10.0.2.15,local_lock=none,addr=10.0.2.2\n"
#define NFS_OPTIONS                                                                                                    \
	"[addr=10.0.2.2,nolock,soft,timeo=150,retrans=2,vers=4.2,proto=tcp,port=20490,rsize=262144,wsize=262144]"

static void test_target_nfs(void **state)
{
	_cleanup_(target_free) struct target target = { 0 };
	struct tree *m = *state;

	put_root(m, NFS_MOUNT);
	tree_directory(m, "/mnt/dumps/var/crash");
	expect_target(m, "nfs server:/dumps", "nfs 10.0.2.2:/dumps " NFS_OPTIONS " /var/crash");
	expect_target(m, "nfs server:/dumps/", "nfs 10.0.2.2:/dumps " NFS_OPTIONS " /var/crash");
	expect_target(m, "path /mnt/dumps/var", "nfs 10.0.2.2:/dumps " NFS_OPTIONS " /var");
	expect_target(m, "path /mnt/dumps", "nfs 10.0.2.2:/dumps " NFS_OPTIONS " /");
	assert_no_error(resolve(m, "nfs server:/dumps", &target));
	assert_string_equal(target.server, "10.0.2.2");
	assert_string_equal(target.directory, "/mnt/dumps/var/crash");
	expect_refused(
		m, "nfs server:/dumps\npath /other", KD_ERR_NOT_FOUND,
		"directory /other does not exist on the dump target server:/dumps: \"mkdir -p /mnt/dumps/other\"");
	expect_refused(m, "nfs server:/other", KD_ERR_STATE, "/etc/kdump.conf:1: server:/other is not mounted");
}

static void test_target_nfs_ipv6(void **state)
{
	struct tree *m = *state;

	put_root(m, "30 22 0:44 / /mnt/dumps rw - nfs [fd00::2]:/dumps rw,vers=3,nolock,proto=tcp6,mountaddr=fd00::2,"
		    "mountport=635,mountproto=tcp6,sec=sys,addr=fd00::2\n");
	tree_directory(m, "/mnt/dumps/var/crash");
	expect_target(
		m, "nfs [fd00::2]:/dumps",
		"nfs [fd00::2]:/dumps [addr=fd00::2,nolock,soft,timeo=150,retrans=2,vers=3,proto=tcp6,mountport=635,"
		"mountproto=tcp6,mountaddr=fd00::2] /var/crash");
}

static void test_s3_url(void **state)
{
	static const struct {
		const char *place, *endpoint, *region, *style, *url;
	} cases[] = {
		{ "s3://b/lab/x", NULL, NULL, NULL, "https://b.s3.us-east-1.amazonaws.com/lab/x" },
		{ "s3://b", NULL, "eu-central-1", NULL, "https://b.s3.eu-central-1.amazonaws.com" },
		{ "s3://b/lab", NULL, "eu-central-1", "path", "https://s3.eu-central-1.amazonaws.com/b/lab" },
		{ "s3://b/lab", "https://store:9000/", NULL, NULL, "https://store:9000/b/lab" },
		{ "s3://b/lab", "http://store:9000", NULL, "virtual", "http://b.store:9000/lab" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct target_access access = {
			.s3_endpoint = (char *)cases[i].endpoint,
			.s3_region = (char *)cases[i].region,
			.s3_style = (char *)cases[i].style,
		};
		_cleanup_free_ char *url = NULL;

		assert_no_error(objects_s3_url(cases[i].place, &access, &url));
		assert_string_equal(url, cases[i].url);
	}
}

static void test_target_nfs_refused(void **state)
{
	struct tree *m = *state;

	put_root(m, "30 22 0:44 / /mnt/dumps ro - nfs4 server:/dumps rw,vers=4.2,sec=sys,addr=10.0.2.2\n"
		    "31 22 0:45 / /mnt/secret rw - nfs4 server:/secret rw,vers=4.2,sec=krb5p,addr=10.0.2.2\n");
	tree_directory(m, "/mnt/dumps/var/crash");
	tree_directory(m, "/mnt/secret/var/crash");
	expect_refused(m, "nfs server:/dumps", KD_ERR_STATE, "is mounted read-only at /mnt/dumps");
	expect_refused(m, "nfs server:/secret", KD_ERR_UNSUPPORTED, "mounted with sec=krb5p");
	expect_refused(m, "path /mnt/secret", KD_ERR_UNSUPPORTED, "mounted with sec=krb5p");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_target_plain, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_separate_var, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_bind, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_btrfs, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_refused, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_read_only, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_missing_path, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_named, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_fstab, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_path_is_no_directory, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_named_path_is_no_directory, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_unmounted, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_mounted_after_all, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_automount, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_external, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_external_superblock, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_btrfs_devices, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_clone, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_clone_without_identity, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_nfs, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_nfs_ipv6, tree_setup, tree_teardown),
		cmocka_unit_test(test_s3_url),
		cmocka_unit_test_setup_teardown(test_target_nfs_refused, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_target_without_uuid, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
