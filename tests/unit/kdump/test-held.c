/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw targets: which device may become one, what the plan says of it, and what the next boot takes out of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/block.h"
#include "base/device_spec.h"
#include "base/io.h"
#include "capture/remote/container.h"
#include "kdump/config/conf.h"
#include "kdump/dumps/waiting.h"
#include "kdump/storage/held.h"
#include "kdump/storage/reserved.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#define SIZE  (UINT64_C(40) << 20)
#define CRASH "/127.0.0.1-2026-11-28-17:50:39"

/* A blank disk of that name, with a serial number unless it is NULL. */
static void put_disk(struct tree *m, const char *name, const char *number, const char *serial)
{
	char path[256];

	snprintf(path, sizeof(path), "/dev/%s", name);
	tree_text(m, path, "");
	assert_int_equal(truncate(tree_path(m, path), SIZE), 0);
	snprintf(path, sizeof(path), "/sys/class/block/%s/dev", name);
	tree_text(m, path, number);
	snprintf(path, sizeof(path), "/sys/class/block/%s/serial", name);
	if (serial)
		tree_text(m, path, serial);
}

static void put_machine(struct tree *m)
{
	tree_text(m, "/proc/self/mountinfo", "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n");
	tree_directory(m, "/var/crash");
	put_disk(m, "vdb", "254:16\n", "kdump-b\n");
}

static void put_bytes(struct tree *m, const char *path, uint64_t offset, const void *data, size_t size)
{
	_cleanup_close_ int fd = open(tree_path(m, path), O_WRONLY | O_CLOEXEC);

	assert_int_equal(kd_pwrite_all(fd, data, size, (off_t)offset), 0);
}

static struct target_request request_of(const char *device)
{
	return (struct target_request){
		.type = "raw", .device = device, .path = "/var/crash", .file = "/etc/kdump.conf", .line = 1
	};
}

static struct kd_error *prepare(struct tree *m, bool force, bool *made)
{
	const struct target_request request = request_of("/dev/vdb");

	return held_prepare(&m->root, &request, force, made);
}

static struct kd_error *resolve(struct tree *m, const char *device, struct target *target)
{
	const struct target_request request = request_of(device);

	return target_resolve(&m->root, &request, NULL, target);
}

static void expect_refused(struct tree *m, enum kd_error_code code, const char *text)
{
	struct target target = { 0 };

	assert_error(resolve(m, "/dev/vdb", &target), code, text);
}

/* --- which device ------------------------------------------------------------------------------------------------- */

static void test_blank(void **state)
{
	struct tree *m = *state;
	_cleanup_(target_free) struct target target = { 0 };
	bool made;

	put_machine(m);
	expect_refused(m, KD_ERR_NOT_FOUND,
		       "/etc/kdump.conf:1: there is no container of dumps on /dev/vdb: \"kdumpctl prepare\"");
	assert_no_error(prepare(m, false, &made));
	assert_true(made);
	assert_no_error(resolve(m, "/dev/vdb", &target));
	assert_string_equal(target.type, "raw");
	assert_int_equal(strncmp(target.device, "DISK=kdump-b,CONTAINER=", 23), 0);
	assert_string_equal(target.options, "0+41943040");
	assert_string_equal(target.path, "/");
	assert_string_equal(target.directory, "/var/crash");
	assert_in_range(target.available, 30 << 20, SIZE);
	/* A second time it stays as it is. */
	assert_no_error(prepare(m, false, &made));
	assert_false(made);
}

/* Nothing that has a name of its own is ever overwritten. */
static void test_signatures(void **state)
{
	static const struct {
		const char *name;
		uint64_t offset;
		const void *data;
		size_t size;
	} cases[] = {
		{ "swap", 4086, "SWAPSPACE2", 10 },
		{ "crypto_LUKS", 0, "LUKS\xba\xbe\0\1", 8 },
		{ "squashfs", 0, "hsqs\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\4\0\0\0", 32 },
	};
	struct tree *m = *state;
	bool made;

	put_machine(m);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *before = NULL, *after = NULL;
		size_t size;
		char text[64];

		put_disk(m, "vdb", "254:16\n", "kdump-b\n");
		put_bytes(m, "/dev/vdb", cases[i].offset, cases[i].data, cases[i].size);
		if (i == 0) /* the version and the number of pages */
			put_bytes(m, "/dev/vdb", 1024, "\1\0\0\0\x10\0\0\0", 8);
		snprintf(text, sizeof(text), "/dev/vdb holds %s", cases[i].name);
		tree_read(m, "/dev/vdb", &before, &size);
		expect_refused(m, KD_ERR_CONFIG, text);
		assert_error(prepare(m, false, &made), KD_ERR_CONFIG, text);
		assert_error(prepare(m, true, &made), KD_ERR_CONFIG, text);
		tree_read(m, "/dev/vdb", &after, &size);
		assert_memory_equal(before, after, size);
	}
}

static void test_unnamed_data(void **state)
{
	struct tree *m = *state;
	bool made;

	put_machine(m);
	put_bytes(m, "/dev/vdb", SIZE - 5000, "mine", 4);
	assert_error(prepare(m, false, &made), KD_ERR_STATE, "/dev/vdb is not blank");
	assert_no_error(prepare(m, true, &made));
	assert_true(made);
}

static void test_parts(void **state)
{
	struct tree *m = *state;
	bool made;

	put_machine(m);
	tree_text(m, "/sys/class/block/vdb/holders/dm-0/dev", "253:0\n");
	assert_error(prepare(m, true, &made), KD_ERR_CONFIG, "other devices stand on it");
	tree_delete(m, "/sys/class/block/vdb/holders/dm-0/dev");
	assert_int_equal(rmdir(tree_path(m, "/sys/class/block/vdb/holders/dm-0")), 0);
	tree_text(m, "/sys/class/block/vdb/vdb1/partition", "1\n");
	assert_error(prepare(m, true, &made), KD_ERR_CONFIG, "/dev/vdb has partitions");
}

static void test_small(void **state)
{
	struct tree *m = *state;
	bool made;

	put_machine(m);
	assert_int_equal(truncate(tree_path(m, "/dev/vdb"), 1 << 20), 0);
	assert_error(prepare(m, false, &made), KD_ERR_LIMIT, "are not enough for a dump");
}

/* What came to the device after it was prepared. */
static void test_later(void **state)
{
	struct tree *m = *state;
	bool made;

	put_machine(m);
	assert_no_error(prepare(m, false, &made));
	put_bytes(m, "/dev/vdb", SIZE - 4096, "x", 1);
	expect_refused(m, KD_ERR_FORMAT, "not at its end");
	assert_error(prepare(m, false, &made), KD_ERR_STATE, "is not blank");
}

/* A copy of the disk, which tells no serial number, cannot be told from it. */
static void test_copy(void **state)
{
	struct tree *m = *state;
	_cleanup_free_ char *data = NULL;
	_cleanup_(target_free) struct target target = { 0 };
	size_t size;
	bool made;

	put_machine(m);
	assert_no_error(prepare(m, false, &made));
	tree_read(m, "/dev/vdb", &data, &size);
	put_disk(m, "vdc", "254:32\n", "kdump-c\n");
	put_bytes(m, "/dev/vdc", 0, data, size);
	assert_no_error(resolve(m, "/dev/vdb", &target));
	tree_delete(m, "/sys/class/block/vdb/serial");
	tree_delete(m, "/sys/class/block/vdc/serial");
	expect_refused(m, KD_ERR_CONFIG, "/dev/vdb and /dev/vdc have the same container of dumps");
}

/* The name in the plan leads back to the device, wherever it is then. */
static void test_found_again(void **state)
{
	struct tree *m = *state;
	_cleanup_(target_free) struct target target = { 0 };
	_cleanup_free_ char *node = NULL;
	bool made;

	put_machine(m);
	put_disk(m, "vdc", "254:32\n", NULL);
	assert_no_error(prepare(m, false, &made));
	assert_no_error(resolve(m, "/dev/vdb", &target));
	assert_no_error(kd_block_find(&m->root, target.device, &node));
	assert_string_equal(node, "/dev/vdb");
	put_bytes(m, "/dev/vdb", 0, "gone", 4);
	assert_code(kd_block_find(&m->root, target.device, &node), KD_ERR_NOT_FOUND);
}

static struct kd_error *parse_conf(const char *text, struct kd_conf *conf)
{
	const struct kd_conf_text whole = { .file = "/etc/kdump.conf", .text = text };

	return kd_conf_parse(&whole, 1, conf, NULL, NULL);
}

/* --- the configuration -------------------------------------------------------------------------------------------- */

static void test_conf(void **state)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct target_request request;

	assert_no_error(parse_conf("path /dumps\next4 /dev/vda1\nraw /dev/vdb\n", &conf));
	request = kd_conf_target(&conf);
	assert_false(held_is_meant(&request));
	request = kd_conf_further(&conf, 0);
	assert_true(held_is_meant(&request));
	assert_null(request.path); /* they go to where the first target's are */
}

/* --- the next boot ------------------------------------------------------------------------------------------------ */

/* What the capture does on the device that the plan names. */
static struct remote *capture(struct tree *m, const struct target *target, struct kd_extents *extents)
{
	_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
	struct remote *remote = NULL;

	assert_no_error(kd_device_spec_parse(target->device, &spec));
	assert_no_error(kd_extents_parse(target->options, extents));
	assert_no_error(container_open(tree_path(m, "/dev/vdb"), extents, spec.value[KD_DEVICE_CONTAINER], &remote));
	return remote;
}

static void put_file(struct remote *remote, const char *path, const char *data, size_t size)
{
	int file = remote->ops->open(remote, path, REMOTE_WRITE | REMOTE_CREATE, 0600);

	assert_true(file >= 0);
	assert_int_equal(remote->ops->write(remote, file, data, size, 0), 0);
	assert_int_equal(remote->ops->close(remote, file), 0);
}

/* @name: of the dump in the container. */
static void put_dump(struct tree *m, const char *name)
{
	_cleanup_(target_free) struct target target = { 0 };
	_cleanup_(kd_extents_free) struct kd_extents extents = { 0 };
	struct remote *remote;
	char path[256];

	assert_no_error(resolve(m, "/dev/vdb", &target));
	remote = capture(m, &target, &extents);
	assert_int_equal(remote->ops->mkdir(remote, CRASH, 0700), 0);
	put_file(remote, CRASH "/vmcore-dmesg.txt", "panic\n", 6);
	put_file(remote, CRASH "/reserved-for-report", "", 0);
	snprintf(path, sizeof(path), CRASH "/%s", name);
	put_file(remote, path, "KDUMP   and so on", 17);
	assert_int_equal(remote->ops->truncate(remote, path, 1 << 20), 0);
	container_close(remote);
}

static struct kd_error *collect(struct tree *m, const char *directory, unsigned int *moved)
{
	_cleanup_(held_close) struct held held = { .fd = -1 };
	const struct target_request request = request_of("/dev/vdb");
	struct kd_error *err = held_open(&m->root, &request, true, &held);

	return err ? err : waiting_collect(&held, tree_path(m, directory), NULL, moved);
}

static unsigned int count_waiting(struct tree *m)
{
	_cleanup_(held_close) struct held held = { .fd = -1 };
	const struct target_request request = request_of("/dev/vdb");

	assert_no_error(held_open(&m->root, &request, false, &held));
	return held_count(held.container);
}

static void assert_dump(struct tree *m, const char *path, const char *vmcore)
{
	_cleanup_free_ char *data = NULL;
	char name[512];
	size_t size;

	snprintf(name, sizeof(name), "%s/%s", path, vmcore);
	tree_read(m, name, &data, &size);
	assert_int_equal(size, 1 << 20);
	assert_memory_equal(data, "KDUMP   and so on\0", 18);
	snprintf(name, sizeof(name), "%s/reserved-for-report", path);
	assert_int_equal(access(tree_path(m, name), F_OK), -1);
	snprintf(name, sizeof(name), "%s/vmcore-dmesg.txt", path);
	assert_int_equal(access(tree_path(m, name), F_OK), 0);
}

static void test_collect(void **state)
{
	struct tree *m = *state;
	unsigned int moved;
	struct stat st;
	bool made;

	put_machine(m);
	assert_no_error(prepare(m, false, &made));
	assert_no_error(collect(m, "/var/crash", &moved));
	assert_int_equal(moved, 0);
	put_dump(m, "vmcore");
	assert_int_equal(count_waiting(m), 1);
	assert_no_error(collect(m, "/var/crash", &moved));
	assert_int_equal(moved, 1);
	assert_int_equal(count_waiting(m), 0);
	assert_dump(m, "/var/crash" CRASH, "vmcore");
	assert_int_equal(stat(tree_path(m, "/var/crash" CRASH), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* What was zero takes no space. */
	assert_int_equal(stat(tree_path(m, "/var/crash" CRASH "/vmcore"), &st), 0);
	assert_in_range(st.st_blocks, 1, 2000);
}

/* Half of a dump from an attempt before does not get in the way, nor does a dump of that name. */
static void test_collect_again(void **state)
{
	struct tree *m = *state;
	unsigned int moved;
	bool made;

	put_machine(m);
	assert_no_error(prepare(m, false, &made));
	put_dump(m, "vmcore-incomplete");
	tree_text(m, "/var/crash/.kdump-collect/vmcore-incomplete", "half");
	tree_text(m, "/var/crash" CRASH "/vmcore", "another");
	assert_no_error(collect(m, "/var/crash", &moved));
	assert_dump(m, "/var/crash" CRASH "-1", "vmcore-incomplete");
	assert_int_equal(access(tree_path(m, "/var/crash/.kdump-collect"), F_OK), -1);
}

/* Everybody may make files in /var/crash of Ubuntu, but nobody can keep a dump away by that. */
static void test_collect_where_names_are_taken(void **state)
{
	struct tree *m = *state;
	unsigned int moved;
	char path[128];
	bool made;

	put_machine(m);
	assert_no_error(prepare(m, false, &made));
	put_dump(m, "vmcore");
	tree_text(m, "/var/crash/.kdump-collect", "in the way");
	tree_text(m, "/var/crash" CRASH, "in the way");
	for (unsigned int i = 1; i < 150; i++) {
		snprintf(path, sizeof(path), "/var/crash" CRASH "-%u", i);
		tree_text(m, path, "in the way");
	}
	assert_no_error(collect(m, "/var/crash", &moved));
	assert_int_equal(moved, 1);
	assert_int_equal(count_waiting(m), 0);
}

/* Where others can rename, what lies there as half of a dump may be a whole one. */
static void test_collect_where_others_rename(void **state)
{
	struct tree *m = *state;
	unsigned int moved;
	bool made;

	put_machine(m);
	assert_no_error(prepare(m, false, &made));
	put_dump(m, "vmcore");
	tree_text(m, "/var/crash/.kdump-collect/vmcore", "a whole dump");
	assert_int_equal(chmod(tree_path(m, "/var/crash"), 0777), 0);
	assert_error(collect(m, "/var/crash", &moved), KD_ERR_STATE, "chmod +t");
	assert_int_equal(access(tree_path(m, "/var/crash/.kdump-collect/vmcore"), F_OK), 0);
	assert_int_equal(count_waiting(m), 1);
	assert_int_equal(chmod(tree_path(m, "/var/crash"), 01777), 0);
	assert_no_error(collect(m, "/var/crash", &moved));
	assert_int_equal(moved, 1);
}

/* A power cut before the dump had begun leaves the log; before that, nothing. */
static void test_collect_beginnings(void **state)
{
	struct tree *m = *state;
	_cleanup_(target_free) struct target target = { 0 };
	_cleanup_(kd_extents_free) struct kd_extents extents = { 0 };
	struct remote *remote;
	unsigned int moved;
	bool made;

	put_machine(m);
	assert_no_error(prepare(m, false, &made));
	assert_no_error(resolve(m, "/dev/vdb", &target));
	remote = capture(m, &target, &extents);
	assert_int_equal(remote->ops->mkdir(remote, CRASH, 0700), 0);
	put_file(remote, CRASH "/vmcore-dmesg.txt", "panic\n", 6);
	put_file(remote, CRASH "/vmcore-incomplete", "", 0);
	assert_int_equal(remote->ops->mkdir(remote, CRASH "-1", 0700), 0);
	put_file(remote, CRASH "-1/reserved-for-report", "", 0);
	container_close(remote);
	assert_no_error(collect(m, "/var/crash", &moved));
	assert_int_equal(access(tree_path(m, "/var/crash" CRASH "/vmcore-dmesg.txt"), F_OK), 0);
	assert_int_equal(access(tree_path(m, "/var/crash" CRASH "/vmcore-incomplete"), F_OK), -1);
	assert_int_equal(access(tree_path(m, "/var/crash" CRASH "-1"), F_OK), -1);
	assert_int_equal(count_waiting(m), 0);
}

/* --- reserved files ----------------------------------------------------------------------------------------------- */

#define MIB (UINT64_C(1) << 20)

static void test_extents_of_a_file(void **state)
{
	static const struct fiemap_extent good[] = {
		{ .fe_logical = 0, .fe_physical = 64 * MIB, .fe_length = 8 * MIB },
		{ .fe_logical = 8 * MIB, .fe_physical = 72 * MIB, .fe_length = 8 * MIB },
		{ .fe_logical = 16 * MIB,
		  .fe_physical = 4 * MIB,
		  .fe_length = 9 * MIB,
		  .fe_flags = FIEMAP_EXTENT_LAST },
	};
	_cleanup_(kd_extents_free) struct kd_extents extents = { 0 };
	_cleanup_free_ char *text = NULL;

	/* What the last block has behind the end of the file is not its own to give. */
	assert_no_error(reserved_take_extents(good, 3, 24 * MIB, &extents));
	assert_no_error(kd_extents_format(&extents, &text));
	assert_string_equal(text, "67108864+16777216,4194304+8388608");
	assert_error(reserved_take_extents(good, 3, 26 * MIB, &(struct kd_extents){ 0 }), KD_ERR_UNSUPPORTED,
		     "a hole at byte 26214400");
}

static void test_refused_extents(void **state)
{
	static const struct {
		struct fiemap_extent extent;
		const char *text;
	} cases[] = {
		{ { .fe_length = 8 * MIB, .fe_flags = FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_LAST }, "never written" },
		{ { .fe_length = 8 * MIB, .fe_flags = FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN }, "not known" },
		{ { .fe_length = 8 * MIB, .fe_flags = FIEMAP_EXTENT_DELALLOC }, "no place yet" },
		{ { .fe_length = 8 * MIB, .fe_flags = FIEMAP_EXTENT_ENCODED }, "compressed or encrypted" },
		{ { .fe_length = 8 * MIB, .fe_flags = FIEMAP_EXTENT_DATA_ENCRYPTED }, "encrypted" },
		{ { .fe_length = 8 * MIB, .fe_flags = FIEMAP_EXTENT_NOT_ALIGNED }, "blocks of its own" },
		{ { .fe_length = 8 * MIB, .fe_flags = FIEMAP_EXTENT_DATA_INLINE }, "the file system's own" },
		{ { .fe_length = 8 * MIB, .fe_flags = FIEMAP_EXTENT_DATA_TAIL }, "shares a block" },
		{ { .fe_length = 8 * MIB, .fe_flags = FIEMAP_EXTENT_SHARED }, "reflink" },
		{ { .fe_logical = 4096, .fe_length = 8 * MIB }, "a hole at byte 0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(kd_extents_free) struct kd_extents extents = { 0 };

		assert_error(reserved_take_extents(&cases[i].extent, 1, 8 * MIB, &extents), KD_ERR_UNSUPPORTED,
			     cases[i].text);
	}
	assert_code(reserved_take_extents(&(struct fiemap_extent){ .fe_physical = 1024, .fe_length = 8 * MIB }, 1,
					  8 * MIB, &(struct kd_extents){ 0 }),
		    KD_ERR_FORMAT);
}

static void test_reserved_conf(void **state)
{
	static const char *const bad[] = { "reserve 4G", "/reserve", "/reserve 4X", "/reserve " };
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[64];

		snprintf(text, sizeof(text), "reserved_file %s\n", bad[i]);
		assert_error(parse_conf(text, &conf), KD_ERR_CONFIG, "give an absolute path and a size");
	}
	assert_no_error(parse_conf("reserved_file /var/crash/reserve  4G\n", &conf));
}

/* What the disk has lost is told, and is no complete dump. */
static void test_damaged(void **state)
{
	struct tree *m = *state;
	_cleanup_free_ char *data = NULL;
	unsigned int moved;
	size_t size;
	char *at;
	bool made;

	put_machine(m);
	assert_no_error(prepare(m, false, &made));
	put_dump(m, "vmcore");
	tree_read(m, "/dev/vdb", &data, &size);
	at = memmem(data, size, "KDUMP   and", 11);
	assert_non_null(at);
	put_bytes(m, "/dev/vdb", (uint64_t)(at - data) + 8, "x", 1);
	assert_no_error(collect(m, "/var/crash", &moved));
	assert_int_equal(access(tree_path(m, "/var/crash" CRASH "/vmcore"), F_OK), -1);
	assert_int_equal(access(tree_path(m, "/var/crash" CRASH "/vmcore-incomplete"), F_OK), 0);
}

/* A dump that cannot be moved stays where it is. */
static void test_no_place(void **state)
{
	struct tree *m = *state;
	unsigned int moved;
	bool made;

	put_machine(m);
	assert_no_error(prepare(m, false, &made));
	put_dump(m, "vmcore");
	tree_text(m, "/full", "a file");
	assert_code(collect(m, "/full", &moved), KD_ERR_OS);
	assert_int_equal(moved, 0);
	assert_int_equal(count_waiting(m), 1);
	assert_no_error(collect(m, "/elsewhere", &moved));
	assert_dump(m, "/elsewhere" CRASH, "vmcore");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_blank),
		TEST(test_signatures),
		TEST(test_unnamed_data),
		TEST(test_parts),
		TEST(test_small),
		TEST(test_later),
		TEST(test_copy),
		TEST(test_found_again),
		TEST(test_conf),
		TEST(test_collect),
		TEST(test_collect_again),
		TEST(test_collect_where_names_are_taken),
		TEST(test_collect_where_others_rename),
		TEST(test_damaged),
		TEST(test_collect_beginnings),
		TEST(test_no_place),
		TEST(test_extents_of_a_file),
		TEST(test_refused_extents),
		TEST(test_reserved_conf),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
