/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A container whose label and tables are hostile: the first 4096 bytes of the input are the label, what follows the
 * table, and the checksums are made right, which an attacker can do as well. Whatever they say, reading ends within
 * the device, and what was opened can be written and opened again. */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/container.h"
#include "capture/remote/container.h"
#include "tests/fuzz/fuzz.h"

enum { SIZE = 16 << 20, SUM_OF_LABEL = 20, SUM_OF_TABLE = 40 };

static int make_device(void)
{
	int fd = memfd_create("device", MFD_CLOEXEC);

	REQUIRE(fd >= 0 && ftruncate(fd, SIZE) == 0);
	return fd;
}

static void put_sum(unsigned char *data, size_t size, size_t offset)
{
	uint32_t sum;

	memset(data + offset, 0, sizeof(sum));
	sum = htole32(kd_container_sum(0, data, size));
	memcpy(data + offset, &sum, sizeof(sum));
}

/* What a label says of itself, where the input leaves its place blank. */
static void put_label(const struct kd_container_place *place, unsigned char *label, bool given)
{
	struct kd_container_label plan;
	static const uint8_t uuid[16] = { 1 };

	REQUIRE(!fuzz_error(kd_container_plan(SIZE, uuid, 1, &plan)));
	REQUIRE(!fuzz_error(kd_container_make(place, &plan)));
	if (!given) {
		REQUIRE(kd_container_pread(place, label, KD_CONTAINER_BLOCK, 0) == 0);
		return;
	}
	put_sum(label, KD_CONTAINER_BLOCK, SUM_OF_LABEL);
	REQUIRE(kd_container_pwrite(place, label, KD_CONTAINER_BLOCK, 0) == 0);
	REQUIRE(kd_container_pwrite(place, label, KD_CONTAINER_BLOCK, SIZE - KD_CONTAINER_BLOCK) == 0);
}

static void put_table(const struct kd_container_place *place, const unsigned char *label, const uint8_t *data,
		      size_t size)
{
	static const char magic[16] = "kdump table\n";
	static unsigned char table[SIZE];
	struct kd_container_label parsed;

	if (fuzz_error(kd_container_parse_label(label, &parsed)) || parsed.table_size > sizeof(table))
		return;
	memset(table, 0, parsed.table_size);
	memcpy(table, magic, sizeof(magic));
	memcpy(table + 16, parsed.uuid, 16);
	table[32] = 9; /* the generation */
	size = size < parsed.table_size - KD_CONTAINER_BLOCK ? size : parsed.table_size - KD_CONTAINER_BLOCK;
	memcpy(table + KD_CONTAINER_BLOCK, data, size);
	put_sum(table, parsed.table_size, SUM_OF_TABLE);
	REQUIRE(kd_container_pwrite(place, table, parsed.table_size, KD_CONTAINER_BLOCK) == 0);
}

static void read_all(const struct kd_container *container)
{
	unsigned char data[70000];

	for (int i = 0; i < KD_CONTAINER_FILES; i++) {
		const struct kd_container_file *file = &container->file[i];
		uint32_t checked, wrong;

		if (!*file->path)
			continue;
		REQUIRE(kd_container_find(container, file->path) == i);
		REQUIRE(kd_container_name_in(container, i, "/") || strchr(file->path + 1, '/'));
		REQUIRE(kd_container_read(container, i, data, sizeof(data), 0) <= (ssize_t)sizeof(data));
		REQUIRE(kd_container_read(container, i, data, sizeof(data), file->size - file->size / 3) <=
			(ssize_t)sizeof(data));
		REQUIRE(kd_container_check(container, i, &checked, &wrong) == 0 && wrong <= checked);
	}
}

static void write_some(const char *node, const struct kd_extents *extents, const uint8_t uuid[16])
{
	char text[KD_CONTAINER_UUID_TEXT];
	struct remote *remote = NULL;
	int file;

	kd_container_uuid_text(uuid, text);
	if (fuzz_error(container_open(node, extents, text, &remote)))
		return;
	(void)!remote->ops->mkdir(remote, "/d", 0700);
	file = remote->ops->open(remote, "/d/vmcore-incomplete", REMOTE_WRITE | REMOTE_CREATE, 0600);
	if (file >= 0) {
		(void)!remote->ops->write(remote, file, "some", 4, 100000);
		remote->ops->close(remote, file);
		(void)!remote->ops->rename(remote, "/d/vmcore-incomplete", "/d/vmcore");
	}
	container_close(remote);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(kd_extents_free) struct kd_extents extents = { 0 };
	_cleanup_(kd_container_close) struct kd_container *container = NULL, *again = NULL;
	_cleanup_close_ int fd = make_device();
	struct kd_container_place place = { fd, &extents };
	unsigned char label[KD_CONTAINER_BLOCK] = { 0 };
	size_t given = size && data[0] ? (size < sizeof(label) ? size : sizeof(label)) : 0;
	char node[32];

	/* In two pieces, the second one before the first. */
	REQUIRE(!fuzz_error(kd_extents_add(&extents, SIZE / 2, SIZE / 2)));
	REQUIRE(!fuzz_error(kd_extents_add(&extents, 0, SIZE / 2)));
	memcpy(label, data, given);
	put_label(&place, label, given);
	given = given ? given : size > 0;
	put_table(&place, label, data + given, size - given);
	if (fuzz_error(kd_container_open(&place, &container)))
		return 0;
	read_all(container);
	snprintf(node, sizeof(node), "/proc/self/fd/%d", fd);
	write_some(node, &extents, container->label.uuid);
	REQUIRE(!fuzz_error(kd_container_open(&place, &again)));
	read_all(again);
	return 0;
}
