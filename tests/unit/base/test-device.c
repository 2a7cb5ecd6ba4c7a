/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of block devices, and the devices that they name on made-up machines. */
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/block.h"
#include "base/device_name.h"
#include "base/io.h"

/* --- names -------------------------------------------------------------------------------------------------------- */

static void test_names(void **state)
{
	static const struct {
		const char *text;
		enum kd_device_key key;
		const char *value;
	} cases[] = {
		{ "/dev/vda1", KD_DEVICE_PATH, "/dev/vda1" },    { "UUID=12-34", KD_DEVICE_UUID, "12-34" },
		{ "LABEL=my disk", KD_DEVICE_LABEL, "my disk" }, { "PARTUUID=ab", KD_DEVICE_PARTUUID, "ab" },
		{ "PARTLABEL=x", KD_DEVICE_PARTLABEL, "x" },     { "UUID_SUB=12-34", KD_DEVICE_UUID_SUB, "12-34" },
	};
	static const char *const bad[] = { "", "vda", "/dev/", "/etc/passwd", "LABEL=", "label=x", "ID=x" };
	struct kd_device_name name;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(kd_device_name_parse(cases[i].text, &name));
		assert_int_equal(name.key, cases[i].key);
		assert_string_equal(name.value, cases[i].value);
		assert_int_equal(strncmp(cases[i].text, kd_device_key_prefix(name.key),
					 strlen(kd_device_key_prefix(name.key))),
				 0);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(kd_device_name_parse(bad[i], &name));
}

/* --- devices ------------------------------------------------------------------------------------------------------ */

struct machine {
	char directory[TEMPORARY_SIZE];
	struct kd_sysroot root;
};

static void make_parent(const struct machine *m, const char *path, char full[512])
{
	char parent[512];

	snprintf(full, 512, "%s%s", m->directory, path);
	strcpy(parent, full);
	*strrchr(parent, '/') = '\0';
	assert_no_error(kd_mkdir_p(parent, 0755));
}

static void put_link(const struct machine *m, const char *path, const char *to)
{
	char full[512];

	make_parent(m, path, full);
	assert_int_equal(symlink(to, full), 0);
}

static void put_directory(const struct machine *m, const char *path)
{
	char full[512];

	make_parent(m, path, full);
	assert_no_error(kd_mkdir_p(full, 0755));
}

static void put_text(const struct machine *m, const char *path, const char *text)
{
	char full[512];

	make_parent(m, path, full);
	assert_no_error(kd_write_file_atomic(full, text, strlen(text), 0600));
}

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	temporary_make(m->directory);
	assert_no_error(kd_sysroot_open(m->directory, &m->root));
	put_directory(m, "/sys/devices/pci0/block/vda/vda1");
	put_link(m, "/sys/class/block/vda1", "../../devices/pci0/block/vda/vda1");
	put_text(m, "/dev/vda1", "");
	put_link(m, "/dev/mapper/root", "../vda1");
	put_link(m, "/dev/disk/by-uuid/1111-2222", "../../vda1");
	put_link(m, "/dev/disk/by-label/my\\x20disk", "/dev/vda1");
	put_link(m, "/dev/disk/by-partuuid/0815-01", "../../vda1");
	put_link(m, "/dev/disk/by-partlabel/dumps", "../../vda1");
	/* The tree has no /dev/vdb1, and neither has sysfs. */
	put_link(m, "/dev/disk/by-uuid/3333-4444", "../../vdb1");
	/* A device whose name has a slash in it. */
	put_directory(m, "/sys/devices/pci0/block/cciss!c0d0/cciss!c0d0p1");
	put_link(m, "/sys/class/block/cciss!c0d0p1", "../../devices/pci0/block/cciss!c0d0/cciss!c0d0p1");
	put_link(m, "/dev/disk/by-uuid/5555-6666", "../../cciss/c0d0p1");
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	kd_sysroot_close(&m->root);
	temporary_remove(m->directory);
	free(m);
	return 0;
}

static void test_find(void **state)
{
	static const struct {
		const char *name, *node;
	} cases[] = {
		{ "/dev/vda1", "/dev/vda1" },
		{ "/dev/mapper/root", "/dev/vda1" },
		{ "/dev/disk/by-uuid/1111-2222", "/dev/vda1" },
		{ "UUID=1111-2222", "/dev/vda1" },
		{ "UUID=\"1111-2222\"", "/dev/vda1" },
		{ "LABEL=my disk", "/dev/vda1" },
		{ "LABEL='my disk'", "/dev/vda1" },
		{ "PARTUUID=0815-01", "/dev/vda1" },
		{ "PARTLABEL=dumps", "/dev/vda1" },
		{ "UUID=3333-4444", "/dev/vdb1" },
		{ "UUID=5555-6666", "/dev/cciss/c0d0p1" },
	};
	static const struct {
		const char *name, *message;
	} refused[] = {
		{ "UUID=dead", "there is no device UUID=dead" },
		{ "UUID=../../etc", "there is no device UUID=../../etc" },
		{ "LABEL=\"\"", "is not the name of a device" },
		{ "/dev/vdz", "there is no device /dev/vdz" },
		{ "/etc/passwd", "/etc/passwd is not a device: write /dev/" },
		{ "vda1", "vda1 is not a device: write /dev/" },
		{ "UUID_SUB=1111-2222", "is not a device" },
	};
	const struct machine *m = *state;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *node = NULL;

		assert_no_error(kd_block_find(&m->root, cases[i].name, &node));
		assert_string_equal(node, cases[i].node);
	}
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		char *node = NULL;

		assert_error(kd_block_find(&m->root, refused[i].name, &node), KD_ERR_NOT_FOUND, refused[i].message);
		assert_null(node);
	}
}

/* A place counts more than what udev's links say: of two disks with one UUID they lead to one only. */
static void test_find_place(void **state)
{
	static const struct {
		const char *name, *node;
	} cases[] = {
		{ "DISK=first,UUID=1111-2222", "/dev/vda1" },
		{ "PARTUUID=0815-01,UUID=1111-2222", "/dev/vda1" }, /* a disk without a serial number */
		{ "DISK=second,UUID=1111-2222", "/dev/vdc" },
		{ "DISK=first", "/dev/vda" },
		{ "volume:vg-root,UUID=1111-2222", "/dev/dm-7" },
		{ "volume:md3", "/dev/md3" },
	};
	const struct machine *m = *state;
	char *none = NULL;

	put_text(m, "/sys/devices/pci0/block/vda/vda1/partition", "1\n");
	put_text(m, "/sys/devices/pci0/block/vda/serial", "first\n");
	put_text(m, "/sys/devices/pci1/block/vdc/serial", "second\n");
	put_link(m, "/sys/class/block/vda", "../../devices/pci0/block/vda");
	put_link(m, "/sys/class/block/vdc", "../../devices/pci1/block/vdc");
	put_text(m, "/sys/devices/virtual/dm-7/dm/name", "vg-root\n");
	put_link(m, "/sys/class/block/dm-7", "../../devices/virtual/dm-7");
	put_directory(m, "/sys/devices/virtual/md3");
	put_link(m, "/sys/class/block/md3", "../../devices/virtual/md3");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *node = NULL;

		assert_no_error(kd_block_find(&m->root, cases[i].name, &node));
		assert_string_equal(node, cases[i].node);
	}
	assert_error(kd_block_find(&m->root, "DISK=third,UUID=1111-2222", &none), KD_ERR_NOT_FOUND,
		     "there is no device");
	assert_null(none);
}

static void expect_name(const struct machine *m, const char *node, enum kd_device_key key, const char *expected)
{
	_cleanup_free_ char *name = NULL;

	assert_no_error(kd_block_name(&m->root, node, key, &name));
	if (expected)
		assert_string_equal(name, expected);
	else
		assert_null(name);
}

static void test_name(void **state)
{
	const struct machine *m = *state;

	expect_name(m, "/dev/vda1", KD_DEVICE_UUID, "UUID=1111-2222");
	expect_name(m, "/dev/vda1", KD_DEVICE_PARTUUID, "PARTUUID=0815-01");
	expect_name(m, "/dev/cciss/c0d0p1", KD_DEVICE_UUID, "UUID=5555-6666");
	expect_name(m, "/dev/c0d0p1", KD_DEVICE_UUID, NULL);
	expect_name(m, "/dev/vdb1", KD_DEVICE_PARTUUID, NULL);
}

static void test_directory(void **state)
{
	_cleanup_free_ char *plain = NULL, *slash = NULL;
	const struct machine *m = *state;
	char *none = NULL;

	assert_no_error(kd_block_directory(&m->root, "/dev/vda1", &plain));
	assert_string_equal(plain, "/sys/devices/pci0/block/vda/vda1");
	assert_no_error(kd_block_directory(&m->root, "/dev/cciss/c0d0p1", &slash));
	assert_string_equal(slash, "/sys/devices/pci0/block/cciss!c0d0/cciss!c0d0p1");
	assert_error(kd_block_directory(&m->root, "/dev/vdb1", &none), KD_ERR_NOT_FOUND,
		     "/dev/vdb1 is not a block device");
	assert_error(kd_block_directory(&m->root, "/etc/passwd", &none), KD_ERR_NOT_FOUND, "is not a block device");
	assert_null(none);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_find, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directory, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
