/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Containers of dumps: what the capture writes, what the next boot reads, and what a power cut leaves of it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/container.h"
#include "base/device_spec.h"
#include "base/io.h"
#include "capture/remote/container.h"
#include "capture/remote/fuse.h"
#include "capture/save.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

#define UUID "00010203-0405-0607-0809-0a0b0c0d0e0f"
/* A device that belongs to others between and around the two pieces of the container. */
#define FIRST  (UINT64_C(3) << 20)
#define SECOND (UINT64_C(30) << 20)
#define DEVICE (UINT64_C(60) << 20)

struct fixture {
	char directory[TEMPORARY_SIZE], device[TEMPORARY_SIZE + 20];
	struct kd_extents extents;
	struct remote *remote;
};

static void make_device(const char *path)
{
	_cleanup_free_ unsigned char *noise = malloc(1 << 20);
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && noise);
	memset(noise, 0xa7, 1 << 20);
	for (uint64_t at = 0; at < DEVICE; at += 1 << 20)
		assert_int_equal(kd_pwrite_all(fd, noise, 1 << 20, (off_t)at), 0);
}

static void make_container(const struct fixture *f)
{
	static const uint8_t uuid[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	_cleanup_close_ int fd = open(f->device, O_RDWR | O_CLOEXEC);
	const struct kd_container_place place = { fd, &f->extents };
	struct kd_container_label label;

	assert_no_error(kd_container_plan(kd_extents_size(&f->extents), uuid, 1, &label));
	assert_no_error(kd_container_make(&place, &label));
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	temporary_make(f->directory);
	snprintf(f->device, sizeof(f->device), "%s/device", f->directory);
	make_device(f->device);
	assert_no_error(kd_extents_add(&f->extents, FIRST, 20 << 20));
	assert_no_error(kd_extents_add(&f->extents, SECOND, 20 << 20));
	make_container(f);
	assert_no_error(container_open(f->device, &f->extents, UUID, &f->remote));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	container_close(f->remote);
	kd_extents_free(&f->extents);
	temporary_remove(f->directory);
	free(f);
	return 0;
}

static void fill(unsigned char *data, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 31 + i / 251 + seed);
}

static struct kd_container *look(const char *device, const struct kd_extents *extents, int *fd)
{
	struct kd_container_place place = { open(device, O_RDWR | O_CLOEXEC), extents };
	struct kd_container *container = NULL;

	*fd = place.fd;
	assert_true(place.fd >= 0);
	assert_no_error(kd_container_open(&place, &container));
	return container;
}

/* Is file @path of the container on @device @data? */
static void assert_file(const char *device, const struct kd_extents *extents, const char *path, const void *data,
			size_t size)
{
	_cleanup_free_ unsigned char *found = malloc(size + 1);
	_cleanup_(kd_container_close) struct kd_container *container = NULL;
	_cleanup_close_ int fd = -1;
	uint32_t checked, wrong;
	int number;

	container = look(device, extents, &fd);
	number = kd_container_find(container, path);
	assert_true(number >= 0);
	assert_int_equal(container->file[number].size, size);
	assert_int_equal(kd_container_read(container, number, found, size + 1, 0), size);
	assert_memory_equal(found, data, size);
	assert_int_equal(kd_container_check(container, number, &checked, &wrong), 0);
	assert_int_equal(wrong, 0);
}

static void write_whole(struct remote *remote, const char *path, const void *data, size_t size)
{
	int file = remote->ops->open(remote, path, REMOTE_WRITE | REMOTE_CREATE | REMOTE_TRUNCATE, 0600);

	assert_true(file >= 0);
	assert_int_equal(remote->ops->write(remote, file, data, size, 0), 0);
	assert_int_equal(remote->ops->sync(remote, file), 0);
	assert_int_equal(remote->ops->close(remote, file), 0);
}

/* Nothing but the two pieces may change. */
static void assert_unharmed(const struct fixture *f)
{
	_cleanup_close_ int fd = open(f->device, O_RDONLY | O_CLOEXEC);
	unsigned char block[4096], noise[4096];

	memset(noise, 0xa7, sizeof(noise));
	for (uint64_t at = 0; at < DEVICE; at += sizeof(block)) {
		if ((at >= FIRST && at < FIRST + (20 << 20)) || (at >= SECOND && at < SECOND + (20 << 20)))
			continue;
		assert_int_equal(kd_pread_all(fd, block, sizeof(block), (off_t)at), sizeof(block));
		assert_memory_equal(block, noise, sizeof(block));
	}
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Pieces of any size at any place, beside a copy in memory; other files in between. What the device held before is
 * never seen. */
static void test_random(void **state)
{
	struct fixture *f = *state;
	enum { SIZE = 18 << 20, ROUNDS = 400, PIECE = 300000 };
	_cleanup_free_ unsigned char *model = calloc(1, SIZE), *piece = malloc(PIECE);
	const struct remote_ops *ops = f->remote->ops;
	size_t size = 0;
	unsigned int seed = 1;
	int file;

	assert_int_equal(ops->mkdir(f->remote, "/d", 0700), 0);
	file = ops->open(f->remote, "/d/vmcore-incomplete", REMOTE_READ | REMOTE_WRITE | REMOTE_CREATE, 0600);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		size_t offset = (size_t)rand_r(&seed) % SIZE, length = (size_t)rand_r(&seed) % PIECE + 1;

		length = length < SIZE - offset ? length : SIZE - offset;
		fill(piece, length, i);
		memcpy(model + offset, piece, length);
		size = offset + length > size ? offset + length : size;
		assert_int_equal(ops->write(f->remote, file, piece, length, offset), 0);
		if (i == ROUNDS / 2) {
			write_whole(f->remote, "/d/vmcore-dmesg.txt", model, 100000);
			assert_int_equal(ops->truncate(f->remote, "/d/vmcore-incomplete", 5000001), 0);
			memset(model + 5000001, 0, SIZE - 5000001);
			size = 5000001;
		}
	}
	assert_int_equal(ops->sync(f->remote, file), 0);
	assert_int_equal(ops->close(f->remote, file), 0);
	assert_int_equal(ops->rename(f->remote, "/d/vmcore-incomplete", "/d/vmcore"), 0);
	assert_file(f->device, &f->extents, "/d/vmcore", model, size);
	assert_unharmed(f);
}

static void test_names(void **state)
{
	struct fixture *f = *state;
	const struct remote_ops *ops = f->remote->ops;
	char long_name[300] = "/d/";
	struct remote_attributes attributes;

	memset(long_name + 3, 'x', sizeof(long_name) - 4);
	assert_int_equal(ops->stat(f->remote, "/", &attributes), 0);
	assert_true(S_ISDIR(attributes.mode));
	assert_int_equal(ops->mkdir(f->remote, "/d", 0700), 0);
	assert_int_equal(ops->mkdir(f->remote, "/d", 0700), -EEXIST);
	assert_int_equal(ops->mkdir(f->remote, "/d/e", 0700), -EPERM);
	assert_int_equal(ops->open(f->remote, "/none/file", REMOTE_WRITE | REMOTE_CREATE, 0600), -ENOENT);
	assert_int_equal(ops->open(f->remote, long_name, REMOTE_WRITE | REMOTE_CREATE, 0600), -ENAMETOOLONG);
	assert_int_equal(ops->open(f->remote, "/d/a\nb", REMOTE_WRITE | REMOTE_CREATE, 0600), -EINVAL);
	assert_int_equal(ops->open(f->remote, "/d", REMOTE_READ, 0), -EISDIR);
	write_whole(f->remote, "/d/a", "1", 1);
	write_whole(f->remote, "/d/b", "22", 2);
	assert_int_equal(ops->open(f->remote, "/d/a", REMOTE_WRITE | REMOTE_CREATE | REMOTE_EXCLUSIVE, 0600), -EEXIST);
	assert_int_equal(ops->rmdir(f->remote, "/d"), -ENOTEMPTY);
	assert_int_equal(ops->rename(f->remote, "/d/b", "/d/a"), 0);
	assert_int_equal(ops->stat(f->remote, "/d/b", &attributes), -ENOENT);
	assert_file(f->device, &f->extents, "/d/a", "22", 2);
	assert_int_equal(ops->unlink(f->remote, "/d/a"), 0);
	assert_int_equal(ops->rmdir(f->remote, "/d"), 0);
	assert_int_equal(ops->write(f->remote, 3, "x", 1, 0), -EBADF);
}

/* More files than there are rows: an error, and nothing is lost. */
static void test_many(void **state)
{
	struct fixture *f = *state;
	const struct remote_ops *ops = f->remote->ops;
	unsigned int count = 0;
	char path[32];
	int file;

	do {
		snprintf(path, sizeof(path), "/%u", count++);
		file = ops->open(f->remote, path, REMOTE_WRITE | REMOTE_CREATE, 0600);
	} while (file >= 0);
	assert_int_equal(file, -ENOSPC);
	assert_int_equal(count, KD_CONTAINER_FILES + 1);
}

/* --- space -------------------------------------------------------------------------------------------------------- */

/* A dump that is larger than the container ends with ENOSPC; the log of a later crash still finds room, and what the
 * first one has left is as it was. */
static void test_full(void **state)
{
	struct fixture *f = *state;
	enum { SIZE = 1 << 20, LOG = 600000 };
	_cleanup_free_ unsigned char *data = malloc(SIZE);
	const struct remote_ops *ops = f->remote->ops;
	struct remote_space space;
	uint64_t size = 0, available;
	int file, result;

	fill(data, SIZE, 3);
	assert_int_equal(ops->space(f->remote, &space), 0);
	available = space.available * space.block_size;
	assert_int_equal(ops->mkdir(f->remote, "/1", 0700), 0);
	write_whole(f->remote, "/1/vmcore-dmesg.txt", data, LOG);
	file = ops->open(f->remote, "/1/vmcore-incomplete", REMOTE_WRITE | REMOTE_CREATE, 0600);
	while ((result = ops->write(f->remote, file, data, SIZE, size)) == 0)
		size += SIZE;
	assert_int_equal(result, -ENOSPC);
	assert_in_range(size, available - 3 * SIZE, available);
	assert_int_equal(ops->sync(f->remote, file), 0);
	assert_int_equal(ops->close(f->remote, file), 0);
	assert_int_equal(ops->space(f->remote, &space), 0);
	assert_int_equal(space.available, 0);
	/* The second crash, with a new capture. */
	container_close(f->remote);
	assert_no_error(container_open(f->device, &f->extents, UUID, &f->remote));
	assert_int_equal(ops->mkdir(f->remote, "/2", 0700), 0);
	write_whole(f->remote, "/2/vmcore-dmesg.txt", data, LOG);
	file = ops->open(f->remote, "/2/vmcore-incomplete", REMOTE_WRITE | REMOTE_CREATE, 0600);
	assert_int_equal(ops->write(f->remote, file, data, SIZE, 0), -ENOSPC);
	assert_int_equal(ops->close(f->remote, file), 0);
	assert_file(f->device, &f->extents, "/1/vmcore-dmesg.txt", data, LOG);
	assert_file(f->device, &f->extents, "/2/vmcore-dmesg.txt", data, LOG);
	assert_unharmed(f);
}

/* What is removed or replaced is free again. */
static void test_space_returns(void **state)
{
	struct fixture *f = *state;
	enum { SIZE = 8 << 20 };
	_cleanup_free_ unsigned char *data = calloc(1, SIZE);
	const struct remote_ops *ops = f->remote->ops;
	struct remote_space before, after;

	fill(data, SIZE, 9);
	assert_int_equal(ops->space(f->remote, &before), 0);
	for (unsigned int i = 0; i < 12; i++) {
		write_whole(f->remote, "/a", data, SIZE);
		write_whole(f->remote, "/b", data, SIZE);
		assert_int_equal(ops->rename(f->remote, "/a", "/b"), 0);
		assert_int_equal(ops->truncate(f->remote, "/b", 1000), 0);
		assert_int_equal(ops->unlink(f->remote, "/b"), 0);
	}
	assert_int_equal(ops->space(f->remote, &after), 0);
	assert_int_equal(after.free, before.free);
}

/* --- power cuts --------------------------------------------------------------------------------------------------- */

static void copy_device(const char *from, const char *to)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t size;

	assert_no_error(kd_read_file(from, DEVICE + 1, &data, &size));
	assert_int_equal(kd_write_all(fd, data, size), 0);
}

/* Damage the newer table, as a power cut does that comes while it is written. */
static void tear_table(const char *device, const struct kd_extents *extents)
{
	_cleanup_(kd_container_close) struct kd_container *container = NULL;
	_cleanup_close_ int fd = -1;
	uint64_t offset;

	container = look(device, extents, &fd);
	offset = KD_CONTAINER_BLOCK + (uint64_t)container->slot * container->label.table_size + 2 * KD_CONTAINER_BLOCK;
	assert_int_equal(kd_container_pwrite(&container->place, "torn", 4, offset), 0);
}

/* What a power cut leaves at any moment can be opened. The log of before is whole, and of the dump there is a
 * beginning that is right, although the units were another file's. */
static void test_power_cut(void **state)
{
	struct fixture *f = *state;
	enum { SIZE = 14 << 20, PIECE = 700001, LOG = 70000 };
	_cleanup_free_ unsigned char *data = malloc(SIZE), *found = malloc(SIZE);
	const struct remote_ops *ops = f->remote->ops;
	char cut[TEMPORARY_SIZE + 20];
	unsigned int cuts = 0, partial = 0;
	int file;

	fill(data, SIZE, 7);
	snprintf(cut, sizeof(cut), "%s/cut", f->directory);
	write_whole(f->remote, "/old", data + 1, SIZE - 1);
	assert_int_equal(ops->unlink(f->remote, "/old"), 0);
	write_whole(f->remote, "/log", data, LOG);
	file = ops->open(f->remote, "/vmcore-incomplete", REMOTE_WRITE | REMOTE_CREATE, 0600);
	for (size_t at = 0, length; at < SIZE; at += length) {
		length = SIZE - at < PIECE ? SIZE - at : PIECE;
		assert_int_equal(ops->write(f->remote, file, data + at, length, at), 0);
		if (cuts % 4 == 3)
			assert_int_equal(ops->sync(f->remote, file), 0);
		for (unsigned int torn = 0; torn < 2 && cuts % 3 == 0; torn++) {
			_cleanup_(kd_container_close) struct kd_container *container = NULL;
			_cleanup_close_ int fd = -1;
			ssize_t got;
			int number;

			copy_device(f->device, cut);
			if (torn)
				tear_table(cut, &f->extents);
			assert_file(cut, &f->extents, "/log", data, LOG);
			container = look(cut, &f->extents, &fd);
			number = kd_container_find(container, "/vmcore-incomplete");
			if (number < 0)
				continue;
			got = kd_container_read(container, number, found, SIZE, 0);
			assert_true(got >= 0);
			assert_memory_equal(found, data, got);
			partial += got > 0 && got < (ssize_t)(at + length);
		}
		cuts++;
	}
	assert_true(partial > 2);
	assert_int_equal(ops->close(f->remote, file), 0);
}

/* Bytes of the dump that the device has, if nothing more comes. */
static uint64_t kept(const struct fixture *f)
{
	_cleanup_(kd_container_close) struct kd_container *container = NULL;
	_cleanup_close_ int fd = -1;
	int number;

	container = look(f->device, &f->extents, &fd);
	number = kd_container_find(container, "/vmcore-incomplete");
	return number < 0 ? 0 : container->file[number].size;
}

/* A dump has tables on the way, without anybody asking for them: what is lost with the device is a small part of it,
 * however small the dump is. */
static void test_tables_on_the_way(void **state)
{
	enum { SIZE = 1 << 20, PIECES = 33 };
	struct fixture *f = *state;
	_cleanup_free_ unsigned char *data = malloc(SIZE);
	const struct remote_ops *ops = f->remote->ops;
	int file;

	fill(data, SIZE, 7);
	file = ops->open(f->remote, "/vmcore-incomplete", REMOTE_WRITE | REMOTE_CREATE, 0600);
	for (uint64_t i = 0; i < PIECES; i++) {
		assert_int_equal(ops->write(f->remote, file, data, SIZE, i * SIZE), 0);
		assert_in_range(kept(f), (i + 1) * SIZE * 4 / 5, (i + 1) * SIZE);
	}
	assert_in_range(kept(f), 30 << 20, 33 << 20);
	assert_int_equal(ops->close(f->remote, file), 0);
}

/* --- damage ------------------------------------------------------------------------------------------------------- */

static void test_bit_flip(void **state)
{
	enum { SIZE = 1 << 20 };
	struct fixture *f = *state;
	_cleanup_free_ unsigned char *data = malloc(SIZE);
	_cleanup_(kd_container_close) struct kd_container *container = NULL;
	_cleanup_close_ int fd = -1;
	uint32_t checked, wrong;
	int number;

	fill(data, SIZE, 7);
	write_whole(f->remote, "/x", data, SIZE);
	/* Written over: the checksum is found again when the file gets its name. */
	number = f->remote->ops->open(f->remote, "/x", REMOTE_WRITE, 0);
	assert_int_equal(f->remote->ops->write(f->remote, number, "header", 6, 0), 0);
	assert_int_equal(f->remote->ops->close(f->remote, number), 0);
	assert_int_equal(f->remote->ops->rename(f->remote, "/x", "/vmcore"), 0);
	container = look(f->device, &f->extents, &fd);
	number = kd_container_find(container, "/vmcore");
	assert_int_equal(kd_container_check(container, number, &checked, &wrong), 0);
	assert_int_equal(checked, SIZE / container->label.unit_size);
	assert_int_equal(wrong, 0);
	assert_int_equal(kd_container_pwrite(
				 &container->place, "!", 1,
				 kd_container_unit_offset(container, kd_container_unit_of(container, number, 2)) + 777),
			 0);
	assert_int_equal(kd_container_check(container, number, &checked, &wrong), 0);
	assert_int_equal(wrong, 1);
}

/* Whatever is not this very container: an error, and not a byte is written. */
static void assert_refused(struct fixture *f, const char *uuid, enum kd_error_code code)
{
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct remote *remote = NULL;
	size_t size;

	assert_no_error(kd_read_file(f->device, DEVICE + 1, &before, &size));
	assert_code(container_open(f->device, &f->extents, uuid, &remote), code);
	assert_no_error(kd_read_file(f->device, DEVICE + 1, &after, &size));
	assert_memory_equal(before, after, DEVICE);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = open(f->device, O_RDWR | O_CLOEXEC);
	const uint64_t end = SECOND + (20 << 20) - KD_CONTAINER_BLOCK;
	char label[KD_CONTAINER_BLOCK], zeros[KD_CONTAINER_BLOCK] = { 0 };

	container_close(take_ptr(f->remote));
	assert_refused(f, "10010203-0405-0607-0809-0a0b0c0d0e0f", KD_ERR_STATE);
	/* Something else was made at the end, as an array of version 1.0 is. */
	assert_int_equal(kd_pread_all(fd, label, sizeof(label), (off_t)end), sizeof(label));
	assert_int_equal(kd_pwrite_all(fd, zeros, sizeof(zeros), (off_t)end), 0);
	assert_refused(f, UUID, KD_ERR_FORMAT);
	assert_int_equal(kd_pwrite_all(fd, label, sizeof(label), (off_t)end), 0);
	label[40] ^= 1;
	assert_int_equal(kd_pwrite_all(fd, label, sizeof(label), FIRST), 0);
	assert_refused(f, UUID, KD_ERR_FORMAT);
	assert_int_equal(kd_pwrite_all(fd, zeros, sizeof(zeros), FIRST), 0);
	assert_refused(f, UUID, KD_ERR_NOT_FOUND);
}

static void test_spec(void **state)
{
	static const struct {
		const char *text, *uuid;
		uint64_t offset;
	} cases[] = { { "CONTAINER=" UUID, UUID, 0 }, { "DISK=a,PARTUUID=b,CONTAINER=" UUID "@3145728", UUID, FIRST } };
	struct fixture *f = *state;
	_cleanup_close_ int fd = open(f->device, O_RDONLY | O_CLOEXEC);

	for (size_t i = 0; i < 2; i++) {
		_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
		_cleanup_free_ char *uuid = NULL;
		uint64_t offset;

		assert_no_error(kd_device_spec_parse(cases[i].text, &spec));
		assert_no_error(kd_device_container(&spec, &uuid, &offset));
		assert_string_equal(uuid, cases[i].uuid);
		assert_int_equal(offset, cases[i].offset);
		assert_int_equal(kd_device_has_container(fd, &spec), cases[i].offset == FIRST);
	}
	assert_code(kd_device_container(&(struct kd_device_spec){ .value[KD_DEVICE_CONTAINER] = (char *)"x@y" },
					&(char *){ NULL }, &(uint64_t){ 0 }),
		    KD_ERR_FORMAT);
}

static void test_extents(void **state)
{
	static const char *const bad[] = { "",
					   "1+2",
					   "0+0",
					   "4096",
					   "0+8192,4096+4096",
					   "0+4096,",
					   "4096+9223372036854775807",
					   "0+9223372036854771712,9223372036854771712+8192" };
	_cleanup_(kd_extents_free) struct kd_extents extents = { 0 };
	_cleanup_free_ char *text = NULL;
	uint64_t at;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_code(kd_extents_parse(bad[i], &extents), KD_ERR_FORMAT);
	assert_no_error(kd_extents_parse("8192+4096,12288+4096,0+4096", &extents));
	assert_no_error(kd_extents_format(&extents, &text));
	assert_string_equal(text, "8192+8192,0+4096"); /* what touches is one piece */
	assert_int_equal(kd_extents_map(&extents, 8191, &at), 1);
	assert_int_equal(at, 16383);
	assert_int_equal(kd_extents_map(&extents, 8192, &at), 4096);
	assert_int_equal(at, 0);
	assert_int_equal(kd_extents_map(&extents, 12288, &at), 0);
}

static void test_plan(void **state)
{
	static const uint8_t uuid[16] = { 0 };
	static const uint64_t sizes[] = { KD_CONTAINER_MIN, KD_CONTAINER_MIN + 5000, UINT64_C(4) << 30,
					  UINT64_C(3) << 40, UINT64_C(1) << 49 };
	struct kd_container_label label;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		assert_no_error(kd_container_plan(sizes[i], uuid, 1, &label));
		assert_in_range((uint64_t)label.unit_count * label.unit_size, sizes[i] / 100 * 98, sizes[i]);
		assert_in_range(label.table_size, 1, 20 << 20);
	}
	assert_code(kd_container_plan(KD_CONTAINER_MIN - 1, uuid, 1, &label), KD_ERR_LIMIT);
	assert_code(kd_container_plan(UINT64_MAX, uuid, 1, &label), KD_ERR_LIMIT);
}

/* --- through the kernel ------------------------------------------------------------------------------------------- */

static struct kd_error *put_text(FILE *out, void *arg)
{
	fputs(arg, out);
	return NULL;
}

/* As the capture does it; what close(2) has returned from is on the device. */
static void test_mounted(void **state)
{
	struct fixture *f = *state;
	char mount_point[TEMPORARY_SIZE];
	_cleanup_close_ int root = -1, dir = -1;
	pid_t pid;
	int fd, status = -1;

	temporary_make(mount_point);
	if (kd_error_discard(fuse_mount(mount_point, &fd))) {
		temporary_remove(mount_point);
		end_test("no FUSE here");
	}
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(kd_error_discard(fuse_serve(fd, f->remote)) ? 1 : 0);
	}
	close(fd);
	root = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(root, "crash", 0700), 0);
	dir = openat(root, "crash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_no_error(save_public_file(dir, "log-incomplete", "log", put_text, (void *)"panic\n"));
	assert_file(f->device, &f->extents, "/crash/log", "panic\n", 6);
	assert_no_error(save_reserve(dir, 512 << 10));
	save_release(dir);
	fd = openat(dir, "hook", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "ran", 3), 3);
	close(fd);
	assert_file(f->device, &f->extents, "/crash/hook", "ran", 3);
	close(take_fd(dir));
	close(take_fd(root));
	assert_int_equal(umount2(mount_point, 0), 0);
	waitpid(pid, &status, 0);
	rmdir(mount_point);
	assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_random),
		TEST(test_names),
		TEST(test_many),
		TEST(test_full),
		TEST(test_space_returns),
		TEST(test_power_cut),
		TEST(test_tables_on_the_way),
		TEST(test_bit_flip),
		TEST(test_refused),
		TEST(test_spec),
		cmocka_unit_test(test_extents),
		cmocka_unit_test(test_plan),
		TEST(test_mounted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
