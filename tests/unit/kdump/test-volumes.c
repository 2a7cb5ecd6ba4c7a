/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices made of others: found on a made-up machine, written into the plan, read from it, made into tables. */
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#include <errno.h>
#include <linux/dm-ioctl.h>
#include <linux/major.h>
#include <linux/raid/md_u.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"
#include "capture/clock.h"
#include "capture/volumes.h"
#include "kdump/storage/block.h"
#include "kdump/storage/volumes.h"

struct machine {
	struct tree tree;
	struct kd_plan plan;
};

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	tree_make(&m->tree);
	assert_no_error(kd_plan_init(&m->plan));
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	kd_plan_free(&m->plan);
	tree_remove(&m->tree);
	free(m);
	return 0;
}

/* A file with @text, or a link if @link. */
static PRINTF_FORMAT(4, 5) void put(const struct machine *m, bool link, const char *text, const char *path_fmt, ...)
{
	char path[256];
	va_list args;

	va_start(args, path_fmt);
	vsnprintf(path, sizeof(path), path_fmt, args);
	va_end(args);
	(link ? tree_link : tree_text)(&m->tree, path, text);
}

/* A block device in sysfs; @place: below /sys/devices. */
static void add_device(const struct machine *m, const char *place, const char *number)
{
	const char *name = strrchr(place, '/') + 1;
	char path[256], link[256];

	snprintf(path, sizeof(path), "/sys/devices/%s/dev", place);
	put(m, false, number, "%s", path);
	snprintf(link, sizeof(link), "../../devices/%s", place);
	put(m, true, link, "/sys/class/block/%s", name);
}

static void add_slave(const struct machine *m, const char *upper, const char *lower_place)
{
	char path[256], target[256];

	snprintf(path, sizeof(path), "/sys/devices/virtual/block/%s/slaves/%s", upper, strrchr(lower_place, '/') + 1);
	snprintf(target, sizeof(target), "../../../../%s", lower_place);
	put(m, true, target, "%s", path);
}

static void add_dm(const struct machine *m, const char *node, const char *number, const char *name, const char *uuid)
{
	char place[128];

	snprintf(place, sizeof(place), "virtual/block/%s", node);
	add_device(m, place, number);
	put(m, false, name, "/sys/devices/virtual/block/%s/dm/name", node);
	put(m, false, uuid, "/sys/devices/virtual/block/%s/dm/uuid", node);
}

static void add_disk(const struct machine *m)
{
	add_device(m, "pci0/virtio1/block/vda", "254:0\n");
	add_device(m, "pci0/virtio1/block/vda/vda3", "254:3\n");
	put(m, false, "3\n", "/sys/devices/pci0/virtio1/block/vda/%s/partition", "vda3");
	put(m, true, "../../vda3", "/dev/disk/by-partuuid/%s", "0815-03");
	put(m, false, "", "/dev/%s", "vda3");
}

static struct kd_error *tables(const struct kd_sysroot *root, const char *name, char **ret)
{
	static const struct {
		const char *name, *table;
	} known[] = {
		{ "vg-root", "0 2097152 linear 254:3 2048\n2097152 4096 striped 2 128 254:3 0 254:3 5\n" },
		{ "vg-gone", "0 4096 striped 2 128 254:3 0 254:30 5\n" },
		{ "secret",
		  "0 999 crypt aes-xts-plain64 :64:logon:cryptsetup:1234-d0 0 253:0 32768 1 allow_discards\n" },
		{ "vg-twin", "0 8192 raid raid1 3 0 region_size 4096 2 253:0 253:1 253:2 253:3\n" },
		{ "vg-twin_rmeta_0", "0 8192 linear 254:3 0\n" },
		{ "vg-twin_rimage_0", "0 8192 linear 254:3 8192\n" },
		{ "vg-twin_rmeta_1", "0 8192 linear 254:16 0\n" },
		{ "vg-twin_rimage_1", "0 8192 linear 253:5 0\n" },
		{ "vg-twin_rimage_1-missing_0_0", "0 8192 error \n" },
		{ "short", "0 12\n" },
		{ "loop", "0 12 linear 253:9 0\n" },
		{ "mpatha", "0 81920 multipath 1 queue_if_no_path 1 alua 2 1 service-time 0 1 2 8:0 1 1 service-time 0 "
			    "1 2 8:16 1 1\n" },
		{ "mpatha-part1", "0 8192 linear 253:0 2048\n" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, name) == 0) {
			*ret = strdup(known[i].table);
			return NULL;
		}
	}
	return kd_error_os(ENXIO, "%s", name);
}

static const struct volumes_source source = { .table = tables };

static struct kd_error *resolve(struct machine *m, const char *node)
{
	const struct target target = { .node = (char *)node };

	return volumes_resolve(&m->tree.root, NULL, &source, &target, &m->plan);
}

static void assert_volume(const struct kd_plan *plan, size_t number, const char *expected)
{
	char text[1024];
	size_t used;

	assert_true(number < plan->volume_count);
	used = (size_t)snprintf(text, sizeof(text), "%s %s", plan->volume[number].kind, plan->volume[number].name);
	for (char **word = plan->volume[number].argv; *word; word++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", *word);
	assert_string_equal(text, expected);
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

static void test_plain_disk(void **state)
{
	struct machine *m = *state;

	add_disk(m);
	assert_no_error(resolve(m, "/dev/vda3"));
	assert_int_equal(m->plan.volume_count, 0);
}

/* A disk that is gone has left its number in the table. */
static void test_lvm_without_a_disk(void **state)
{
	struct machine *m = *state;

	add_disk(m);
	add_dm(m, "dm-0", "253:0\n", "vg-gone\n", "LVM-abc\n");
	add_slave(m, "dm-0", "pci0/virtio1/block/vda/vda3");
	assert_error(resolve(m, "/dev/dm-0"), KD_ERR_UNSUPPORTED,
		     "its device-mapper table names device 254:30, which this machine does not have any more");
}

static void test_lvm(void **state)
{
	struct machine *m = *state;

	add_disk(m);
	add_dm(m, "dm-0", "253:0\n", "vg-root\n", "LVM-abc\n");
	add_slave(m, "dm-0", "pci0/virtio1/block/vda/vda3");
	assert_no_error(resolve(m, "/dev/dm-0"));
	assert_int_equal(m->plan.volume_count, 1);
	assert_volume(&m->plan, 0,
		      "dm vg-root 0 2097152 linear PARTUUID=0815-03 2048 ; 2097152 4096 striped 2 128 "
		      "PARTUUID=0815-03 0 PARTUUID=0815-03 5");
}

static void expect_identity(const struct machine *m, const char *node, const char *expected)
{
	_cleanup_free_ char *identity = NULL;

	assert_no_error(block_identity(&m->tree.root, NULL, node, &identity));
	assert_string_equal(identity, expected);
}

/* By what the capture will know a device again: its place, and what is on it. */
static void test_identity(void **state)
{
	struct machine *m = *state;

	add_disk(m);
	expect_identity(m, "/dev/vda3", "PARTUUID=0815-03");
	put(m, false, "WD 4711 \n", "/sys/devices/pci0/virtio1/block/%s/serial", "vda");
	put(m, true, "../../vda3", "/dev/disk/by-uuid/%s", "11-22");
	expect_identity(m, "/dev/vda3", "DISK=WD 4711,PARTUUID=0815-03,UUID=11-22");
	add_dm(m, "dm-0", "253:0\n", "vg-root\n", "LVM-abc\n");
	put(m, true, "../../dm-0", "/dev/disk/by-uuid/%s", "33-44");
	expect_identity(m, "/dev/dm-0", "volume:vg-root,UUID=33-44");
	add_device(m, "virtual/block/md127", "9:127\n");
	put(m, false, "raid1\n", "/sys/devices/virtual/block/%s/md/level", "md127");
	add_device(m, "virtual/block/md127/md127p1", "259:0\n");
	put(m, false, "1\n", "/sys/devices/virtual/block/md127/%s/partition", "md127p1");
	expect_identity(m, "/dev/md127p1", "volume:md127");
}

static void add_secret(struct machine *m)
{
	add_disk(m);
	add_dm(m, "dm-0", "253:0\n", "vg-root\n", "LVM-abc\n");
	add_slave(m, "dm-0", "pci0/virtio1/block/vda/vda3");
	add_dm(m, "dm-1", "253:1\n", "secret\n", "CRYPT-LUKS2-1234-secret\n");
	add_slave(m, "dm-1", "virtual/block/dm-0");
	put(m, false, "", "/dev/%s", "dm-0");
}

/* A LUKS2 header with this JSON text, at @offset of the device below "secret". */
static void put_luks(const struct machine *m, size_t offset, const char *json)
{
	static const uint8_t head[] = { 0xba, 0xbe, 0, 2, 0, 0, 0, 0, 0, 0, 0x40, 0 };
	uint8_t image[32768] = "";

	memcpy(image + offset, offset ? "SKUL" : "LUKS", 4);
	memcpy(image + offset + 4, head, sizeof(head));
	memcpy(image + offset + 4096, json, strlen(json));
	tree_write(&m->tree, "/dev/dm-0", image, sizeof(image));
}

static void test_luks_on_lvm(void **state)
{
	struct machine *m = *state;

	add_secret(m);
	assert_no_error(resolve(m, "/dev/dm-1"));
	assert_int_equal(m->plan.volume_count, 2);
	assert_volume(&m->plan, 1,
		      "dm secret 0 999 crypt aes-xts-plain64 key:secret 0 volume:vg-root 32768 1 "
		      "allow_discards");
}

/* A dump on a volume that gets another key at the next boot is one that nobody can read. */
static void test_a_new_key_at_each_boot(void **state)
{
	struct machine *m = *state;

	add_secret(m);
	put(m, false, "# secret /dev/sdx /dev/urandom\nother UUID=1 /dev/urandom\nsecret UUID=1 none luks\n", "/etc/%s",
	    "crypttab");
	assert_no_error(resolve(m, "/dev/dm-1"));
	kd_plan_free(&m->plan);
	assert_no_error(kd_plan_init(&m->plan));
	put(m, false, "secret  /dev/vg/root\t/dev/urandom  plain,tmp=ext4\n", "/etc/%s", "crypttab");
	assert_error(resolve(m, "/dev/dm-1"), KD_ERR_UNSUPPORTED, "a new key at each boot (/dev/urandom)");
}

/* A log of the target's file system, on a volume. */
static void test_part_of_a_file_system(void **state)
{
	struct machine *m = *state;
	struct target target = { .node = (char *)"/dev/vda3" };

	add_disk(m);
	add_dm(m, "dm-0", "253:0\n", "vg-root\n", "LVM-abc\n");
	add_slave(m, "dm-0", "pci0/virtio1/block/vda/vda3");
	target.part[0] = (struct target_part){ "logdev", (char *)"logdev0-of-1", (char *)"/dev/dm-0" };
	assert_no_error(volumes_resolve(&m->tree.root, NULL, &source, &target, &m->plan));
	assert_int_equal(m->plan.volume_count, 2);
	assert_volume(&m->plan, 0,
		      "dm vg-root 0 2097152 linear PARTUUID=0815-03 2048 ; 2097152 4096 striped 2 128 "
		      "PARTUUID=0815-03 0 PARTUUID=0815-03 5");
	assert_volume(&m->plan, 1, "device logdev0-of-1 volume:vg-root");
	/* Another target on the same file system. */
	assert_no_error(volumes_resolve(&m->tree.root, NULL, &source, &target, &m->plan));
	assert_int_equal(m->plan.volume_count, 2);
	target.part[1] = (struct target_part){ "rtdev", (char *)"rtdev1-of-1", (char *)"/dev/gone" };
	assert_error(volumes_resolve(&m->tree.root, NULL, &source, &target, &m->plan), KD_ERR_OS,
		     "dump target /dev/vda3: its rtdev /dev/gone");
}

static void test_luks_requirements(void **state)
{
	static const char requires[] = "{\"config\":{\"requirements\":{\"mandatory\" : [ \"%s\"]}}}";
	static const struct {
		size_t offset;
		const char *name, *why;
	} cases[] = {
		{ 0, "online-reencrypt-v2",
		  "/dev/dm-0 is being re-encrypted (its LUKS2 header requires online-reencrypt-v2)" },
		{ 16384, "online-reencrypt", "let \"cryptsetup reencrypt\" end first" },
		{ 0, "opal", "requires opal, and nobody has shown" },
	};
	struct machine *m = *state;

	add_secret(m);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char json[128];

		snprintf(json, sizeof(json), requires, cases[i].name);
		put_luks(m, cases[i].offset, json);
		assert_error(resolve(m, "/dev/dm-1"), KD_ERR_UNSUPPORTED, cases[i].why);
	}
	put_luks(m, 0, "{\"config\":{\"requirements\":{\"mandatory\":[]}},\"tokens\":{}}");
	assert_no_error(resolve(m, "/dev/dm-1"));
}

static void test_raid(void **state)
{
	struct machine *m = *state;

	add_disk(m);
	add_device(m, "virtual/block/md127", "9:127\n");
	add_slave(m, "md127", "pci0/virtio1/block/vda/vda3");
	put(m, false, "raid1\n", "/sys/devices/virtual/block/%s/md/level", "md127");
	put(m, false, "1.2\n", "/sys/devices/virtual/block/%s/md/metadata_version", "md127");
	add_device(m, "virtual/block/md127/md127p1", "259:0\n");
	put(m, false, "1\n", "/sys/devices/virtual/block/md127/%s/partition", "md127p1");
	/* A partition comes with its array. */
	assert_no_error(resolve(m, "/dev/md127p1"));
	assert_int_equal(m->plan.volume_count, 1);
	assert_volume(&m->plan, 0, "md md127 raid1 1.2 PARTUUID=0815-03");
}

static void add_member(const struct machine *m, const char *disk, const char *number, const char *member_state)
{
	char place[64];

	snprintf(place, sizeof(place), "pci0/%s", disk);
	add_device(m, place, number);
	put(m, false, disk, "/sys/devices/%s/serial", place);
	add_slave(m, "md127", place);
	put(m, false, member_state, "/sys/devices/virtual/block/md127/md/dev-%s/state", disk);
}

/* A member that has failed, and one that is not needed, would only be waited for. */
static void test_raid_takes_members_in_sync(void **state)
{
	struct machine *m = *state;
	_cleanup_free_ char *before = NULL, *after = NULL;

	add_device(m, "virtual/block/md127", "9:127\n");
	put(m, false, "raid5\n", "/sys/devices/virtual/block/%s/md/level", "md127");
	put(m, false, "1.2\n", "/sys/devices/virtual/block/%s/md/metadata_version", "md127");
	put(m, false, "1\n", "/sys/devices/virtual/block/%s/md/degraded", "md127");
	add_member(m, "vda", "254:0\n", "in_sync,write_mostly\n");
	add_member(m, "vdb", "254:16\n", "faulty\n");
	add_member(m, "vdc", "254:32\n", "spare\n");
	add_member(m, "vdd", "254:48\n", "in_sync\n");
	add_member(m, "vde", "254:64\n", "journal\n");
	assert_no_error(resolve(m, "/dev/md127"));
	assert_volume(&m->plan, 0, "md md127 raid5 1.2 DISK=vda DISK=vdd DISK=vde missing");

	/* The plan is out of date when the spare has taken the place of the one that failed. */
	assert_no_error(volumes_describe(&m->tree.root, &source, "md127", &before));
	put(m, false, "in_sync\n", "/sys/devices/virtual/block/md127/md/dev-%s/state", "vdc");
	assert_no_error(volumes_describe(&m->tree.root, &source, "md127", &after));
	assert_string_not_equal(before, after);
}

/* It would go on in the capture kernel, without mdadm's copy of the sectors that are on their way. */
static void test_raid_that_is_reshaped(void **state)
{
	struct machine *m = *state;
	_cleanup_free_ char *before = NULL, *after = NULL;

	add_device(m, "virtual/block/md127", "9:127\n");
	put(m, false, "raid5\n", "/sys/devices/virtual/block/%s/md/level", "md127");
	put(m, false, "1.2\n", "/sys/devices/virtual/block/%s/md/metadata_version", "md127");
	put(m, false, "none\n", "/sys/devices/virtual/block/%s/md/reshape_position", "md127");
	add_member(m, "vda", "254:0\n", "in_sync\n");
	assert_no_error(resolve(m, "/dev/md127"));
	assert_no_error(volumes_describe(&m->tree.root, &source, "md127", &before));

	put(m, false, "0\n", "/sys/devices/virtual/block/%s/md/reshape_position", "md127");
	kd_plan_free(&m->plan);
	assert_no_error(kd_plan_init(&m->plan));
	assert_error(resolve(m, "/dev/md127"), KD_ERR_UNSUPPORTED, "md127 is being reshaped");
	put(m, false, "none\n", "/sys/devices/virtual/block/%s/md/reshape_position", "md127");
	put(m, false, "clustered\n", "/sys/devices/virtual/block/%s/md/bitmap/metadata", "md127");
	assert_error(resolve(m, "/dev/md127"), KD_ERR_UNSUPPORTED, "md127 is shared by the machines of a cluster");
	put(m, false, "internal\n", "/sys/devices/virtual/block/%s/md/bitmap/metadata", "md127");
	put(m, false, "0\n", "/sys/devices/virtual/block/%s/md/reshape_position", "md127");
	/* One that begins after arming is noticed, and the image goes. */
	assert_no_error(volumes_describe(&m->tree.root, &source, "md127", &after));
	assert_string_not_equal(before, after);
}

/* A disk that is gone already is not waited for at the crash. One way or the other, its leg is not what it was. */
static void test_lvm_raid_without_a_disk(void **state)
{
	struct machine *m = *state;

	add_disk(m);
	add_dm(m, "dm-0", "253:0\n", "vg-twin_rmeta_0\n", "LVM-0\n");
	add_slave(m, "dm-0", "pci0/virtio1/block/vda/vda3");
	add_dm(m, "dm-1", "253:1\n", "vg-twin_rimage_0\n", "LVM-1\n");
	add_slave(m, "dm-1", "pci0/virtio1/block/vda/vda3");
	add_dm(m, "dm-2", "253:2\n", "vg-twin_rmeta_1\n", "LVM-2\n");
	add_slave(m, "dm-2", "pci0/virtio2/block/vdb"); /* leads nowhere */
	add_dm(m, "dm-3", "253:3\n", "vg-twin_rimage_1\n", "LVM-3\n");
	add_dm(m, "dm-5", "253:5\n", "vg-twin_rimage_1-missing_0_0\n", "LVM-5\n");
	add_slave(m, "dm-3", "virtual/block/dm-5");
	add_dm(m, "dm-4", "253:4\n", "vg-twin\n", "LVM-4\n");
	for (unsigned int i = 0; i < 4; i++) {
		char leg[32];

		snprintf(leg, sizeof(leg), "virtual/block/dm-%u", i);
		add_slave(m, "dm-4", leg);
	}
	assert_no_error(resolve(m, "/dev/dm-4"));
	assert_int_equal(m->plan.volume_count, 3);
	assert_volume(&m->plan, 2,
		      "dm vg-twin 0 8192 raid raid1 3 0 region_size 4096 2 volume:vg-twin_rmeta_0 "
		      "volume:vg-twin_rimage_0 - -");
}

static void add_multipath(const struct machine *m)
{
	add_device(m, "pci0/host0/block/sda", "8:0\n");
	add_device(m, "pci0/host1/block/sdb", "8:16\n");
	add_dm(m, "dm-0", "253:0\n", "mpatha\n", "mpath-3600a0b8\n");
	add_slave(m, "dm-0", "pci0/host0/block/sda");
	add_slave(m, "dm-0", "pci0/host1/block/sdb");
	put(m, false, "naa.600a0b8\n", "/sys/devices/pci0/host0/block/sda/%s", "device/wwid");
}

/* Any path will do, as long as all lead to one disk. */
static void test_multipath(void **state)
{
	struct machine *m = *state;

	add_multipath(m);
	put(m, false, "naa.600a0b8\n", "/sys/devices/pci0/host1/block/sdb/%s", "device/wwid");
	add_dm(m, "dm-1", "253:1\n", "mpatha-part1\n", "part1-mpath-3600a0b8\n");
	add_slave(m, "dm-1", "virtual/block/dm-0");
	assert_no_error(resolve(m, "/dev/dm-1"));
	assert_int_equal(m->plan.volume_count, 2);
	assert_volume(&m->plan, 0, "dm mpatha 0 81920 linear PATHS=naa.600a0b8 0");
	assert_volume(&m->plan, 1, "dm mpatha-part1 0 8192 linear volume:mpatha 2048");
}

static void test_multipath_of_two_disks(void **state)
{
	struct machine *m = *state;

	add_multipath(m);
	assert_error(resolve(m, "/dev/dm-0"), KD_ERR_UNSUPPORTED, "its path /dev/sdb tells no World Wide Identifier");
	put(m, false, "naa.600a0b9\n", "/sys/devices/pci0/host1/block/sdb/%s", "device/wwid");
	assert_error(resolve(m, "/dev/dm-0"), KD_ERR_UNSUPPORTED, "its path /dev/sdb tells another disk: naa.600a0b9");
}

static void test_multipath_without_paths(void **state)
{
	struct machine *m = *state;

	add_dm(m, "dm-0", "253:0\n", "mpatha\n", "mpath-3600a0b8\n");
	assert_error(resolve(m, "/dev/dm-0"), KD_ERR_STATE, "no path to its disk is left");
}

static void test_refused(void **state)
{
	struct machine *m = *state;

	add_disk(m);
	add_dm(m, "dm-1", "253:1\n", "short\n", "x\n");
	assert_error(resolve(m, "/dev/dm-1"), KD_ERR_FORMAT, "too short");
	add_device(m, "virtual/block/md1", "9:1\n");
	put(m, false, "raid1\n", "/sys/devices/virtual/block/%s/md/level", "md1");
	put(m, false, "external:imsm\n", "/sys/devices/virtual/block/%s/md/metadata_version", "md1");
	assert_error(resolve(m, "/dev/md1"), KD_ERR_UNSUPPORTED, "external:imsm");
	/* sysfs never does this. */
	add_dm(m, "dm-9", "253:9\n", "loop\n", "x\n");
	add_slave(m, "dm-9", "virtual/block/dm-9");
	assert_error(resolve(m, "/dev/dm-9"), KD_ERR_UNSUPPORTED, "layers");
}

static void test_describe(void **state)
{
	struct machine *m = *state;
	_cleanup_free_ char *text = NULL;

	assert_no_error(volumes_describe(&m->tree.root, &source, "secret", &text));
	assert_null(strstr(text, "logon"));
	assert_non_null(strstr(text, "aes-xts-plain64 0 253:0 32768"));
	assert_error(volumes_describe(&m->tree.root, &source, "gone", &text), KD_ERR_OS, "gone");
}

/* A path that comes or goes is no reason to arm again. */
static void test_describe_multipath(void **state)
{
	struct machine *m = *state;
	_cleanup_free_ char *text = NULL;

	assert_no_error(volumes_describe(&m->tree.root, &source, "mpatha", &text));
	assert_string_equal(text, "0 81920 multipath \n \n");
}

/* --- the plan ----------------------------------------------------------------------------------------------------- */

static void test_plan(void **state)
{
	struct machine *m = *state;
	char *const words[] = { (char *)"0", (char *)"8", (char *)"linear", (char *)"UUID=a b", (char *)"0", NULL };
	_cleanup_(kd_plan_free) struct kd_plan again = { 0 };
	_cleanup_free_ char *text = NULL, *twice = NULL;

	assert_no_error(kd_plan_add_volume(&m->plan, "dm", "vg-root", words));
	assert_no_error(kd_plan_format(&m->plan, &text));
	assert_non_null(strstr(text, "\nvolume dm vg-root 0 8 linear UUID=a%20b 0\n"));
	assert_no_error(kd_plan_parse(text, "plan", &again));
	assert_volume(&again, 0, "dm vg-root 0 8 linear UUID=a b 0");
	assert_ptr_equal(kd_plan_find_volume(&again, "vg-root"), &again.volume[0]);
	assert_null(kd_plan_find_volume(&again, "vg"));

	assert_true(asprintf(&twice, "%.*svolume md vg-root raid1 1.2\nend\n", (int)(strlen(text) - 4), text) > 0);
	assert_error(kd_plan_parse(twice, "plan", &again), KD_ERR_FORMAT, "bad value for volume");
}

/* --- putting an array together ------------------------------------------------------------------------------------ */

/* What the kernel was asked to do; "/dev/null" stands for an array, "/dev/zero" and "/dev/full" for members. */
static char asked[256];

int ioctl(int fd, unsigned long request, ...)
{
	size_t used = strlen(asked);
	const mdu_disk_info_t *disk;
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case SET_ARRAY_INFO:
		return 0;
	case ADD_NEW_DISK:
		disk = arg;
		snprintf(asked + used, sizeof(asked) - used, "add %d:%d ", disk->major, disk->minor);
		return 0;
	case RUN_ARRAY:
		snprintf(asked + used, sizeof(asked) - used, "run ");
		return 0;
	default:
		return (int)syscall(SYS_ioctl, fd, request, arg);
	}
}

/* Assemble array "null" of @members within @ms; @said: what the log must hold. */
static void assemble(struct machine *m, const char *members, unsigned int ms, const char *said)
{
	_cleanup_free_ char *words = NULL, **argv = NULL, *text = NULL;
	struct kd_log log;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_true(asprintf(&words, "raid1 1.2 %s", members) > 0);
	argv = kd_split_words(words, NULL);
	assert_no_error(kd_plan_add_volume(&m->plan, "md", "null", argv));
	put(m, false, "1:5\n", "/sys/class/block/%s/dev", "zero");
	asked[0] = '\0';
	kd_log_init(&log, out, "kdump", KD_LOG_INFO);
	assert_int_equal(volumes_assemble(&m->tree.root, &m->plan, "volume:null,UUID=1", NULL, clock_ms() + ms, &log),
			 0);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(asked, "add 1:5 run ");
	assert_string_equal(text, said);
}

/* What was missing already is neither waited for nor lost now. */
static void test_degraded_array_starts_at_once(void **state)
{
	int64_t start = clock_ms();

	assemble(*state, "/dev/zero missing", 60000, "");
	assert_true(clock_ms() - start < 30000);
}

static void test_member_in_sync_is_waited_for(void **state)
{
	int64_t start = clock_ms();

	assemble(*state, "/dev/full /dev/zero", 500,
		 "kdump: waiting for /dev/full\n"
		 "kdump: WARNING: volume null: /dev/full: it did not appear\n"
		 "kdump: WARNING: null starts without 1 of its members, which will have to be added again\n");
	assert_true(clock_ms() - start >= 500);
}

/* --- the kernel's table ------------------------------------------------------------------------------------------- */

static struct kd_error *shout(void *arg, const char *word, char **ret)
{
	return asprintf(ret, "<%s>", word) < 0 ? kd_error_nomem() : NULL;
}

static void test_table(void **state)
{
	char *const words[] = { (char *)"0",     (char *)"10", (char *)"linear", (char *)"a", (char *)"1",  (char *)";",
				(char *)"10",    (char *)"5",  (char *)"zero",   (char *)";", (char *)"15", (char *)"1",
				(char *)"error", NULL };
	const struct dm_target_spec *row;
	_cleanup_free_ char *table = NULL;
	unsigned int rows;
	size_t size;

	assert_no_error(volumes_dm_table(words, shout, NULL, &table, &size, &rows));
	assert_int_equal(rows, 3);
	row = (const void *)table;
	assert_int_equal(row->sector_start, 0);
	assert_int_equal(row->length, 10);
	assert_string_equal(row->target_type, "linear");
	assert_string_equal((const char *)(row + 1), "<a> <1>");
	assert_int_equal(row->next % 8, 0);
	row = (const void *)((const char *)row + row->next);
	assert_int_equal(row->sector_start, 10);
	assert_string_equal(row->target_type, "zero");
	assert_string_equal((const char *)(row + 1), "");
	row = (const void *)((const char *)row + row->next);
	assert_string_equal(row->target_type, "error");
	assert_ptr_equal((const char *)row + row->next, table + size);
}

static void add_volume(struct machine *m, const char *kind, const char *name, const char *text)
{
	_cleanup_free_ char **words = kd_split_words(text, NULL);

	assert_no_error(kd_plan_add_volume(&m->plan, kind, name, words));
}

/* Each target waits only for its own volumes. */
static void test_volumes_of_a_target(void **state)
{
	static const struct {
		const char *device;
		bool below[4];
	} cases[] = {
		{ "volume:vg-dumps,UUID=1", { true, true, false, true } },
		{ "volume:md1,PARTUUID=2,UUID=1", { false, false, true, false } },
		{ "volume:vg-swap", { true, true, false, false } },
		{ "DISK=volume:vg-dumps,UUID=1", { false } },
		{ "UUID=1", { false } },
		{ "server:/export", { false } },
	};
	struct machine *m = *state;

	add_volume(m, "md", "md0", "raid1 1.2 DISK=a,UUID_SUB=1 missing");
	add_volume(m, "dm", "vg-swap", "0 9 linear volume:md0,PARTUUID=3,UUID=4 0");
	add_volume(m, "md", "md1", "raid1 1.2 DISK=a,UUID_SUB=5 DISK=b,UUID_SUB=6");
	add_volume(m, "dm", "vg-dumps", "0 9 linear DISK=c 0 ; 9 9 crypt aes key:md1 0 volume:vg-swap 0");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ bool *below = volumes_below(&m->plan, cases[i].device);

		assert_non_null(below);
		assert_memory_equal(below, cases[i].below, sizeof(cases[i].below));
	}
}

/* What the mount options refer to, and what that lies on, is a target's as well. */
static void test_volumes_of_a_file_systems_parts(void **state)
{
	static const bool expected[] = { true, true, false };
	struct machine *m = *state;
	_cleanup_free_ bool *below = NULL;

	add_volume(m, "md", "md0", "raid1 1.2 DISK=a,UUID_SUB=1 missing");
	add_volume(m, "device", "logdev0-of-1", "volume:md0");
	add_volume(m, "device", "logdev0-of-2", "DISK=b");
	assert_no_error(
		kd_plan_add_target(&m->plan, "xfs", "UUID=1", "nosuid,logdev=volume:logdev0-of-1,noatime", "/", 1));
	assert_no_error(kd_plan_add_target(&m->plan, "xfs", "UUID=2", "logdev=volume:logdev0-of-2", "/", 1));
	below = volumes_below(&m->plan, "UUID=1");
	assert_non_null(below);
	assert_memory_equal(below, expected, sizeof(expected));
}

/* The volume of another target is not even looked for. */
static void test_another_targets_volume_is_left_alone(void **state)
{
	struct machine *m = *state;
	int64_t start = clock_ms();

	add_volume(m, "md", "zero", "raid1 1.2 /dev/full");
	asked[0] = '\0';
	assert_int_equal(volumes_assemble(&m->tree.root, &m->plan, "UUID=1", NULL, start + 60000, NULL), 0);
	assert_string_equal(asked, "");
	assert_true(clock_ms() - start < 30000);
}

static bool is_not_lost(void *arg, const char *word)
{
	return !strchr(word, '!');
}

/* "!" marks devices that did not appear. */
static void test_legs(void **state)
{
	static const struct {
		const char *row, *expected;
		unsigned int dropped;
	} cases[] = {
		{ "0 9 linear a! 0", NULL, 0 },
		{ "0 9 raid raid1 1 128 2 a b c d", NULL, 0 },
		{ "0 9 raid raid1 1 128 2 a! b! c d", "0 9 raid raid1 1 128 2 - - c d", 1 },
		{ "0 9 raid raid1 1 128 2 a b c d!", "0 9 raid raid1 1 128 2 a b - -", 1 },
		{ "0 9 raid raid1 1 128 3 a! b c d e f!", "0 9 raid raid1 1 128 3 - - c d - -", 2 },
		{ "0 9 raid raid1 1 128 2 a! b c! d", NULL, 0 },
		{ "0 9 raid raid1 1 128 2 - - c! d", NULL, 0 },
		{ "0 9 raid raid1 1 128 2 a - c d", "0 9 raid raid1 1 128 2 - - c d", 1 },
		{ "0 9 raid raid1 3 128 rebuild 1 2 a! b c d", NULL, 0 },
		{ "0 9 raid raid0 1 128 2 a! b c d", NULL, 0 },
		{ "0 9 raid raid4 1 128 3 a! b c d e f", "0 9 raid raid4 1 128 3 - - c d e f", 1 },
		{ "0 9 raid raid5_ls 1 128 3 a! b c d e f", "0 9 raid raid5_ls 1 128 3 - - c d e f", 1 },
		{ "0 9 raid raid5_ls 1 128 3 a! b c d! e f", NULL, 0 },
		{ "0 9 raid raid5_ls 1 128 3 a! b - - e f", NULL, 0 },
		{ "0 9 raid raid6_zr 1 128 4 a! b c d! e f g h", "0 9 raid raid6_zr 1 128 4 - - - - e f g h", 2 },
		{ "0 9 raid raid6_zr 1 128 4 a! b c d! e f! g h", NULL, 0 },
		{ "0 9 raid raid10_near 1 128 4 a! b c d e f g h", "0 9 raid raid10_near 1 128 4 - - c d e f g h", 1 },
		{ "0 9 raid raid10 1 128 4 a! b c d e! f g h", NULL, 0 },
		{ "0 9 linear a! 0 ; 9 9 raid raid1 1 128 2 a! b! c d",
		  "0 9 linear a! 0 ; 9 9 raid raid1 1 128 2 - - c d", 1 },
		{ "0 9 raid raid1 9 128 2 a! b c d", NULL, 0 },
		{ "0 9 raid raid1 1 128 3 a! b c d", NULL, 0 },
		{ "0 9 raid", NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *expected = cases[i].expected ? cases[i].expected : cases[i].row;
		_cleanup_free_ char **words = kd_split_words(cases[i].row, NULL);
		char text[128] = "";

		assert_int_equal(volumes_drop_legs(words, is_not_lost, NULL), cases[i].dropped);
		for (char **word = words; *word; word++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", word == words ? "" : " ",
				 *word);
		assert_string_equal(text, expected);
	}
}

static void test_bad_tables(void **state)
{
	static const char *const bad[] = { "",
					   "0",
					   "0 10",
					   "x 10 linear",
					   "0 -1 linear",
					   "0 10 a-name-that-is-too-long",
					   "0 10 linear a ;",
					   "; 0 10 linear" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_cleanup_free_ char **words = kd_split_words(bad[i], NULL), *table = NULL;
		unsigned int rows;
		size_t size;

		assert_error(volumes_dm_table(words, shout, NULL, &table, &size, &rows), KD_ERR_FORMAT,
			     "malformed row");
	}
}

#define MACHINE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(test_identity),
		MACHINE_TEST(test_plain_disk),
		MACHINE_TEST(test_lvm),
		MACHINE_TEST(test_lvm_without_a_disk),
		MACHINE_TEST(test_luks_on_lvm),
		MACHINE_TEST(test_a_new_key_at_each_boot),
		MACHINE_TEST(test_part_of_a_file_system),
		MACHINE_TEST(test_luks_requirements),
		MACHINE_TEST(test_raid),
		MACHINE_TEST(test_raid_takes_members_in_sync),
		MACHINE_TEST(test_raid_that_is_reshaped),
		MACHINE_TEST(test_refused),
		MACHINE_TEST(test_multipath),
		MACHINE_TEST(test_multipath_of_two_disks),
		MACHINE_TEST(test_multipath_without_paths),
		MACHINE_TEST(test_describe),
		MACHINE_TEST(test_describe_multipath),
		MACHINE_TEST(test_plan),
		MACHINE_TEST(test_degraded_array_starts_at_once),
		MACHINE_TEST(test_member_in_sync_is_waited_for),
		MACHINE_TEST(test_lvm_raid_without_a_disk),
		MACHINE_TEST(test_volumes_of_a_target),
		MACHINE_TEST(test_volumes_of_a_file_systems_parts),
		MACHINE_TEST(test_another_targets_volume_is_left_alone),
		cmocka_unit_test(test_legs),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_bad_tables),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
