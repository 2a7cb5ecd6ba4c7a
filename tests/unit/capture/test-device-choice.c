/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which device is written: the one that the plan means, or none. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/device_spec.h"
#include "base/io.h"
#include "capture/device.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

#define OURS   "03138356-5e61-4ab3-b58e-27507ac41937"
#define OTHERS "9d5e1111-5e61-4ab3-b58e-27507ac41937"

/* --- the words ---------------------------------------------------------------------------------------------------- */

static void test_spec_round_trip(void **state)
{
	static const char *const texts[] = {
		"UUID=12-34",
		"LABEL=a,b, c",
		"/dev/vda1",
		"UUID=12,/dev/vda1",
		"volume:vg-root,UUID=" OURS,
		"DISK=naa.5000c500a1b2c3d4,PARTUUID=ab,UUID=" OURS,
		"DISK=t10.ATA, QEMU,UUID_SUB=34,UUID=12",
		"PARTLABEL=dumps",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
		_cleanup_free_ char *text = NULL;

		assert_true(kd_device_spec_is(texts[i]));
		assert_no_error(kd_device_spec_parse(texts[i], &spec));
		assert_no_error(kd_device_spec_format(&spec, &text));
		assert_string_equal(text, texts[i]);
	}
}

static void test_spec_refuses(void **state)
{
	static const char *const texts[] = { "", "vda", "LABEL=", "UUID=1,UUID=2", "UUID=", "linear", "/dev/", "8:1" };
	struct kd_device_spec spec;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_error(kd_device_spec_parse(texts[i], &spec), KD_ERR_FORMAT, "is not a device");
	assert_false(kd_device_spec_is("linear"));
	assert_false(kd_device_spec_is("0"));
}

/* --- the machine -------------------------------------------------------------------------------------------------- */

struct machine {
	char path[TEMPORARY_SIZE];
	struct kd_sysroot root;
};

static void make_parents(char *path)
{
	for (char *p = path + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
	}
}

static void put(const struct machine *m, const char *name, const void *data, size_t size)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s%s", m->path, name);
	make_parents(path);
	assert_no_error(kd_write_file_atomic(path, data, size, 0644));
}

static void put_text(const struct machine *m, const char *directory, const char *name, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	put(m, path, text, strlen(text));
}

/* A file system on @name: as much of ext2's superblock (Linux fs/ext2/ext2.h) as libblkid looks at. */
static void put_file_system(const struct machine *m, const char *name, const char *uuid)
{
	uint8_t image[65536] = "", *super = image + 1024;
	char path[64], digits[33];
	size_t count = 0;

	for (const char *p = uuid; *p; p++)
		if (*p != '-')
			digits[count++] = *p;
	digits[count] = '\0';
	for (size_t i = 0; i < 16; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(digits + 2 * i, "%2x", &byte), 1);
		super[104 + i] = (uint8_t)byte;
	}
	super[56] = 0x53, super[57] = 0xef; /* s_magic */
	super[76] = 1;                      /* s_rev_level */
	snprintf(path, sizeof(path), "/dev/%s", name);
	put(m, path, image, sizeof(image));
}

/* Device @name lies in @directory of /sys/devices. */
static void put_device(const struct machine *m, const char *directory, const char *name, const char *uuid)
{
	char link[512], target[256], path[256];

	snprintf(path, sizeof(path), "/sys/devices/%s", directory);
	put_text(m, path, "dev", "252:0\n");
	snprintf(link, sizeof(link), "%s/sys/class/block/%s", m->path, name);
	make_parents(link);
	snprintf(target, sizeof(target), "../../devices/%s", directory);
	assert_int_equal(symlink(target, link), 0);
	put_file_system(m, name, uuid);
}

static int set_up(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	temporary_make(m->path);
	assert_no_error(kd_sysroot_open(m->path, &m->root));
	*state = m;
	return 0;
}

static int tear_down(void **state)
{
	struct machine *m = *state;

	kd_sysroot_close(&m->root);
	temporary_remove(m->path);
	free(m);
	return 0;
}

static void expect(const struct machine *m, const char *text, enum device_use use, const char *expected)
{
	char node[DEVICE_NODE_MAX];

	assert_no_error(device_wait(&m->root, text, use, 0, node));
	assert_string_equal(node, expected);
}

static void expect_none(const struct machine *m, const char *text)
{
	char node[DEVICE_NODE_MAX];

	assert_error(device_wait(&m->root, text, DEVICE_MOUNT, 0, node), KD_ERR_TIMEOUT, "did not appear");
}

static void test_by_contents(void **state)
{
	const struct machine *m = *state;

	put_device(m, "vda", "vda", OTHERS);
	put_device(m, "vdb", "vdb", OURS);
	expect(m, "UUID=" OURS, DEVICE_MOUNT, "/dev/vdb");
	expect(m, "/dev/vdb", DEVICE_MOUNT, "/dev/vdb");
	expect(m, "/dev/vdb,UUID=" OURS, DEVICE_MOUNT, "/dev/vdb");
	/* Another one has its name now. */
	expect_none(m, "/dev/vda,UUID=" OURS);
}

/* A clone, or a snapshot that came late: rather none than the wrong one. */
static void test_two_of_one_uuid(void **state)
{
	const struct machine *m = *state;
	char node[DEVICE_NODE_MAX];

	put_device(m, "vda", "vda", OURS);
	put_device(m, "vdb", "vdb", OURS);
	assert_error(device_wait(&m->root, "UUID=" OURS, DEVICE_MOUNT, 0, node), KD_ERR_STATE,
		     "2 devices bear UUID=" OURS);
	/* The disk tells them apart, whatever it is called. */
	put_text(m, "/sys/devices/vda", "serial", "first\n");
	put_text(m, "/sys/devices/vdb", "serial", "second \n");
	expect(m, "DISK=second,UUID=" OURS, DEVICE_MOUNT, "/dev/vdb");
	expect(m, "DISK=first,UUID=" OURS, DEVICE_MOUNT, "/dev/vda");
	expect_none(m, "DISK=third,UUID=" OURS);
}

static void test_partition(void **state)
{
	const struct machine *m = *state;

	put_device(m, "sda", "sda", OTHERS);
	put_device(m, "sda/sda1", "sda1", OURS);
	put_text(m, "/sys/devices/sda/sda1", "partition", "1\n");
	put_text(m, "/sys/devices/sda", "device/wwid", "naa.500a\n");
	expect(m, "DISK=naa.500a,UUID=" OURS, DEVICE_MOUNT, "/dev/sda1");
}

/* The leg of a mirror shows the mirror's file system. */
static void test_leg(void **state)
{
	const struct machine *m = *state;

	put_device(m, "vdb", "vdb", OURS);
	put_device(m, "md127", "md127", OURS);
	put_text(m, "/sys/devices/vdb", "holders/md127", "");
	/* Where the plan has only the file system, the device that something stands on is left alone … */
	expect(m, "UUID=" OURS, DEVICE_MOUNT, "/dev/md127");
	expect(m, "volume:md127,UUID=" OURS, DEVICE_MOUNT, "/dev/md127");
	/* … unless something else of the plan is to stand on it, too. */
	expect(m, "/dev/vdb", DEVICE_BUILD_ON, "/dev/vdb");
}

/* The volume could not be put together: its lower device is not taken for it. */
static void test_volume_missing(void **state)
{
	const struct machine *m = *state;

	put_device(m, "vdb", "vdb", OURS);
	put_device(m, "dm-0", "dm-0", OURS);
	put_text(m, "/sys/devices/dm-0", "dm/name", "vg-root_rimage_0\n");
	expect_none(m, "volume:vg-root,UUID=" OURS);
	put_device(m, "dm-1", "dm-1", OURS);
	put_text(m, "/sys/devices/dm-1", "dm/name", "vg-root\n");
	expect(m, "volume:vg-root,UUID=" OURS, DEVICE_MOUNT, "/dev/dm-1");
	/* It is there, but somebody has put another file system on it since. */
	expect_none(m, "volume:vg-root,UUID=" OTHERS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spec_round_trip),
		cmocka_unit_test(test_spec_refuses),
		cmocka_unit_test_setup_teardown(test_by_contents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_two_of_one_uuid, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_partition, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_leg, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_volume_missing, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
