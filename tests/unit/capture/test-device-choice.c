/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which device is written: the one that the plan means, or none. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/device_spec.h"
#include "capture/clock.h"
#include "capture/device.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

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
		"PATHS=naa.600a0b8",
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

static void put_text(const struct tree *tree, const char *directory, const char *name, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	tree_text(tree, path, text);
}

/* A file system on @name: as much of ext2's superblock (Linux fs/ext2/ext2.h) as libblkid looks at. */
static void put_file_system(const struct tree *tree, const char *name, const char *uuid)
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
	tree_write(tree, path, image, sizeof(image));
}

/* Device @name lies in @directory of /sys/devices. */
static void put_device(const struct tree *tree, const char *directory, const char *name, const char *uuid)
{
	char link[256], target[256], path[256];

	snprintf(path, sizeof(path), "/sys/devices/%s", directory);
	put_text(tree, path, "dev", "252:0\n");
	snprintf(link, sizeof(link), "/sys/class/block/%s", name);
	snprintf(target, sizeof(target), "../../devices/%s", directory);
	tree_link(tree, link, target);
	put_file_system(tree, name, uuid);
}

static void expect(const struct tree *tree, const char *text, enum device_use use, const char *expected)
{
	char node[DEVICE_NODE_MAX];

	assert_no_error(device_wait(&tree->root, text, use, NULL, 0, NULL, node));
	assert_string_equal(node, expected);
}

static void expect_none(const struct tree *tree, const char *text)
{
	char node[DEVICE_NODE_MAX];

	assert_error(device_wait(&tree->root, text, DEVICE_MOUNT, NULL, 0, NULL, node), KD_ERR_TIMEOUT,
		     "did not appear");
}

static void test_by_contents(void **state)
{
	const struct tree *tree = *state;

	put_device(tree, "vda", "vda", OTHERS);
	put_device(tree, "vdb", "vdb", OURS);
	expect(tree, "UUID=" OURS, DEVICE_MOUNT, "/dev/vdb");
	expect(tree, "/dev/vdb", DEVICE_MOUNT, "/dev/vdb");
	expect(tree, "/dev/vdb,UUID=" OURS, DEVICE_MOUNT, "/dev/vdb");
	/* Another one has its name now. */
	expect_none(tree, "/dev/vda,UUID=" OURS);
}

/* A clone, or a snapshot that came late: rather none than the wrong one. */
static void test_two_of_one_uuid(void **state)
{
	const struct tree *tree = *state;
	char node[DEVICE_NODE_MAX];

	put_device(tree, "vda", "vda", OURS);
	put_device(tree, "vdb", "vdb", OURS);
	assert_error(device_wait(&tree->root, "UUID=" OURS, DEVICE_MOUNT, NULL, 0, NULL, node), KD_ERR_STATE,
		     "2 devices bear UUID=" OURS);
	/* The disk tells them apart, whatever it is called. */
	put_text(tree, "/sys/devices/vda", "serial", "first\n");
	put_text(tree, "/sys/devices/vdb", "serial", "second \n");
	expect(tree, "DISK=second,UUID=" OURS, DEVICE_MOUNT, "/dev/vdb");
	expect(tree, "DISK=first,UUID=" OURS, DEVICE_MOUNT, "/dev/vda");
	expect_none(tree, "DISK=third,UUID=" OURS);
}

/* A disk that hangs, by whatever volume or partition, is not looked at any more. */
static void test_disks_that_hang(void **state)
{
	const struct tree *tree = *state;
	struct disks disks = { .count = 0 };
	char node[DEVICE_NODE_MAX];

	put_device(tree, "sda", "sda", OTHERS);
	put_device(tree, "sda/sda1", "sda1", OURS);
	put_text(tree, "/sys/devices/sda/sda1", "partition", "1\n");
	put_device(tree, "sdb", "sdb", OTHERS);
	put_device(tree, "dm-0", "dm-0", OTHERS);
	put_text(tree, "/sys/devices/dm-0/slaves", "sda1", "");
	put_text(tree, "/sys/devices/dm-0/slaves", "sdb", "");
	assert_no_error(device_wait(&tree->root, "UUID=" OURS, DEVICE_BUILD_ON, &disks, 0, NULL, node));
	assert_false(disks_hold(NULL, &tree->root, "sda1"));
	disks_add(&disks, &tree->root, "server:/export");
	assert_int_equal(disks.count, 0);
	disks_add(&disks, &tree->root, "/dev/dm-0");
	assert_int_equal(disks.count, 2);
	assert_true(disks_hold(&disks, &tree->root, "sda1"));
	assert_true(disks_hold(&disks, &tree->root, "sdb"));
	assert_false(disks_hold(&disks, &tree->root, "sdc"));
	assert_error(device_wait(&tree->root, "UUID=" OURS, DEVICE_BUILD_ON, &disks, 0, NULL, node), KD_ERR_TIMEOUT,
		     "did not appear");
}

/* A disk that is pulled out has no size any more, and then no entry. A volume may do without some of its disks. */
static void test_disks_that_go(void **state)
{
	const struct tree *tree = *state;
	struct disks disks = { .count = 0 };

	assert_false(disks_are_gone(&disks, &tree->root));
	put_device(tree, "sda", "sda", OTHERS);
	put_text(tree, "/sys/devices/sda", "size", "2048\n");
	put_device(tree, "sda/sda1", "sda1", OURS);
	put_text(tree, "/sys/devices/sda/sda1", "partition", "1\n");
	disks_add(&disks, &tree->root, "/dev/sda1");
	assert_false(disks_are_gone(&disks, &tree->root));
	put_device(tree, "sdb", "sdb", OTHERS);
	put_text(tree, "/sys/devices/sdb", "size", "2048\n");
	disks_add(&disks, &tree->root, "/dev/sdb");
	put_text(tree, "/sys/devices/sda", "size", "0\n");
	assert_false(disks_are_gone(&disks, &tree->root));
	tree_delete(tree, "/sys/class/block/sdb");
	assert_true(disks_are_gone(&disks, &tree->root));
}

/* While this is set, in all processes of the test, nobody gets an answer from vda. */
static volatile bool *silent;

static bool is_silent(int fd)
{
	char link[64], path[512];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = silent ? readlink(link, path, sizeof(path) - 1) : -1;
	path[length > 0 ? length : 0] = '\0';
	return length > 0 && strstr(path, "/vda/serial");
}

/* read(2) of the program under test. */
ssize_t read(int fd, void *data, size_t size)
{
	while (is_silent(fd) && *silent)
		usleep(10000);
	return syscall(SYS_read, fd, data, size);
}

/* Whoever asks the first disk waits for ever; the other one is found all the same. A later answer counts. */
static void test_a_disk_that_does_not_answer(void **state)
{
	const struct tree *tree = *state;
	char node[DEVICE_NODE_MAX];
	pid_t late;

	silent = mmap(NULL, sizeof(*silent), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(silent, MAP_FAILED);
	put_device(tree, "vda", "vda", OURS);
	put_device(tree, "vdb", "vdb", OURS);
	put_text(tree, "/sys/devices/vda", "serial", "first\n");
	put_text(tree, "/sys/devices/vdb", "serial", "second\n");
	*silent = true;
	alarm(60); /* if it does wait for ever */
	expect(tree, "DISK=second,UUID=" OURS, DEVICE_MOUNT, "/dev/vdb");
	late = fork();
	if (late == 0) {
		usleep(4000000);
		*silent = false;
		_exit(0);
	}
	assert_no_error(
		device_wait(&tree->root, "DISK=first,UUID=" OURS, DEVICE_MOUNT, NULL, clock_ms() + 30000, NULL, node));
	assert_string_equal(node, "/dev/vda");
	assert_int_equal(waitpid(late, NULL, 0), late);
	alarm(0);
	silent = NULL;
}

static void test_partition(void **state)
{
	const struct tree *tree = *state;

	put_device(tree, "sda", "sda", OTHERS);
	put_device(tree, "sda/sda1", "sda1", OURS);
	put_text(tree, "/sys/devices/sda/sda1", "partition", "1\n");
	put_text(tree, "/sys/devices/sda", "device/wwid", "naa.500a\n");
	expect(tree, "DISK=naa.500a,UUID=" OURS, DEVICE_MOUNT, "/dev/sda1");
}

static void put_path(const struct tree *tree, const char *name, const char *state)
{
	char directory[64];

	put_device(tree, name, name, OURS);
	snprintf(directory, sizeof(directory), "/sys/devices/%s", name);
	put_text(tree, directory, "device/wwid", "naa.600a\n");
	if (state)
		put_text(tree, directory, "device/access_state", state);
}

/* The controllers say which path is the best. Without them, any path that can be read is. */
static void test_paths(void **state)
{
	const struct tree *tree = *state;
	char node[DEVICE_NODE_MAX];

	put_path(tree, "sda", "active/non-optimized\n");
	put_path(tree, "sdb", "standby\n");
	put_path(tree, "sdc", NULL);
	put_text(tree, "/sys/devices/sda/sda1", "partition", "1\n");
	put_device(tree, "sda/sda1", "sda1", OURS);
	put_device(tree, "sde", "sde", OURS);
	expect(tree, "PATHS=naa.600a", DEVICE_BUILD_ON, "/dev/sdc");
	put_path(tree, "sdd", "active/optimized\n");
	expect(tree, "PATHS=naa.600a", DEVICE_BUILD_ON, "/dev/sdd");
	/* Without its contents it cannot be read. */
	tree_delete(tree, "/dev/sdd");
	tree_delete(tree, "/dev/sdc");
	expect(tree, "PATHS=naa.600a", DEVICE_BUILD_ON, "/dev/sda");
	tree_delete(tree, "/dev/sda");
	assert_error(device_wait(&tree->root, "PATHS=naa.600a", DEVICE_BUILD_ON, NULL, clock_ms() + 100, NULL, node),
		     KD_ERR_TIMEOUT, "no path to it works: /dev/sd");
	expect_none(tree, "PATHS=naa.600b");
}

/* The leg of a mirror shows the mirror's file system. */
static void test_leg(void **state)
{
	const struct tree *tree = *state;

	put_device(tree, "vdb", "vdb", OURS);
	put_device(tree, "md127", "md127", OURS);
	put_text(tree, "/sys/devices/vdb", "holders/md127", "");
	/* Where the plan has only the file system, the device that something stands on is left alone … */
	expect(tree, "UUID=" OURS, DEVICE_MOUNT, "/dev/md127");
	expect(tree, "volume:md127,UUID=" OURS, DEVICE_MOUNT, "/dev/md127");
	/* … unless something else of the plan is to stand on it, too. */
	expect(tree, "/dev/vdb", DEVICE_BUILD_ON, "/dev/vdb");
}

/* The volume could not be put together: its lower device is not taken for it. */
static void test_volume_missing(void **state)
{
	const struct tree *tree = *state;

	put_device(tree, "vdb", "vdb", OURS);
	put_device(tree, "dm-0", "dm-0", OURS);
	put_text(tree, "/sys/devices/dm-0", "dm/name", "vg-root_rimage_0\n");
	expect_none(tree, "volume:vg-root,UUID=" OURS);
	put_device(tree, "dm-1", "dm-1", OURS);
	put_text(tree, "/sys/devices/dm-1", "dm/name", "vg-root\n");
	expect(tree, "volume:vg-root,UUID=" OURS, DEVICE_MOUNT, "/dev/dm-1");
	/* It is there, but somebody has put another file system on it since. */
	expect_none(tree, "volume:vg-root,UUID=" OTHERS);
}

/* Why nothing came is what the reader of the log has to know. */
/* Wait @ms for what is never there; *said: what was logged, owned by the caller. */
static void wait_in_vain(const struct tree *tree, int64_t ms, char **said)
{
	char node[DEVICE_NODE_MAX];
	struct kd_log log;
	size_t size;
	FILE *out = open_memstream(said, &size);

	kd_log_init(&log, out, "kdump", KD_LOG_INFO);
	assert_error(device_wait(&tree->root, "volume:dumps,UUID=" OTHERS, DEVICE_MOUNT, NULL, clock_ms() + ms, &log,
				 node),
		     KD_ERR_TIMEOUT, "it did not appear: /dev/dm-1 is in its place, but has other contents");
	assert_int_equal(fclose(out), 0);
}

static void test_why_it_did_not_appear(void **state)
{
	_cleanup_free_ char *said = NULL;
	int64_t ms = 100;

	put_device(*state, "dm-1", "dm-1", OURS);
	put_text(*state, "/sys/devices/dm-1", "dm/name", "dumps\n");
	wait_in_vain(*state, ms, &said);
	/* On a busy machine the first look alone takes longer, and then nothing is waited for. */
	while (!*said && ms < 30000) {
		free(take_ptr(said));
		wait_in_vain(*state, ms *= 4, &said);
	}
	assert_string_equal(said, "kdump: waiting for volume:dumps,UUID=" OTHERS "\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spec_round_trip),
		cmocka_unit_test(test_spec_refuses),
		cmocka_unit_test_setup_teardown(test_by_contents, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_two_of_one_uuid, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_disks_that_hang, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_disks_that_go, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_a_disk_that_does_not_answer, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_paths, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_partition, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_leg, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_volume_missing, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_why_it_did_not_appear, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
