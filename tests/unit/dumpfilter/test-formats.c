/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps in every format, read back; and files that lie. */
#include <elf.h>
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/vmcore/flattened_format.h"
#include "dumpfilter/vmcore/kdump_format.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "dumpfilter/write/writer.h"
#include "tests/unit/dumpfilter/dumpfilter-testing.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

static char dir[TEMPORARY_SIZE], core[96], dump[96], other[96];
static struct machine machine;

/* A machine whose pages all differ; 64 free, and one that is user memory. */
static int set_up(void **state)
{
	temporary_make(dir);
	snprintf(core, sizeof(core), "%s/vmcore", dir);
	snprintf(dump, sizeof(dump), "%s/dump", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	machine_init(&machine, 4);
	machine_info(&machine, "CRASHTIME=99\n");
	for (uint64_t pfn = 2048; pfn < 4096; pfn++)
		for (uint64_t i = 0; i < 4096; i += 64)
			machine_put(&machine, pfn * 4096 + i, pfn * 77 + i * pfn, 8);
	machine_put(&machine, machine_page(2560) + 48, (uint32_t)-129, 4); /* buddy, order 6 */
	machine_put(&machine, machine_page(2560) + 40, 6, 8);
	machine_put(&machine, machine_page(2100) + 24, 1, 8); /* anonymous */
	machine_write(&machine, core);
	return 0;
}

static int tear_down(void **state)
{
	machine_release(&machine);
	temporary_remove(dir);
	return 0;
}

static void filter(const char *in, const char *out, unsigned int level, const struct codec *codec)
{
	struct dumpfilter_options options = { .level = level, .codec = codec };

	unlink(out);
	assert_no_error(dumpfilter_run(in, out, &options, NULL));
}

static uint8_t *read_whole(const char *path, size_t *size)
{
	char *data;

	assert_no_error(kd_read_file(path, (size_t)256 << 20, &data, size));
	return (uint8_t *)data;
}

static void write_whole(const char *path, const void *data, size_t size)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, size, out), size);
	assert_int_equal(fclose(out), 0);
}

/* All pages of the machine are in the file, but for those of these classes. */
static void check_contents(const char *path, bool has_free, bool has_user)
{
	struct vmcore_window window;
	struct vmcore *vmcore;
	static uint8_t buf[65536];
	const uint8_t *data;

	assert_no_error(vmcore_open(path, &vmcore));
	assert_int_equal(vmcore_machine(vmcore), EM_X86_64);
	assert_int_equal(vmcore_cpu_count(vmcore), 2);
	assert_int_equal(kd_ranges_total(vmcore_ram(vmcore)), RAM_SIZE);
	assert_int_equal(kd_ranges_total(vmcore_contents(vmcore)),
			 RAM_SIZE - (has_free ? 0 : 64 * 4096) - (has_user ? 0 : 4096));
	vmcore_window_init(&window, vmcore);
	for (uint64_t paddr = 0; paddr < RAM_SIZE; paddr += sizeof(buf)) {
		assert_no_error(vmcore_window_get(&window, paddr, sizeof(buf), buf, &data));
		for (uint64_t i = 0; i < sizeof(buf); i += 4096) {
			uint64_t pfn = (paddr + i) / 4096;
			bool there = (has_free || pfn < 2560 || pfn >= 2624) && (has_user || pfn != 2100);
			static const uint8_t zeros[4096];

			assert_memory_equal(data + i, there ? machine.ram + pfn * 4096 : zeros, 4096);
		}
	}
	/* Across pages, at any alignment, and small. */
	assert_no_error(vmcore_read(vmcore, 3000 * 4096 + 4000, buf, 9000));
	assert_memory_equal(buf, machine.ram + 3000 * 4096 + 4000, 9000);
	assert_no_error(vmcore_window_get(&window, 3001 * 4096 + 1, 7, buf, &data));
	assert_memory_equal(data, machine.ram + 3001 * 4096 + 1, 7);
	if (!has_free)
		assert_code(vmcore_read(vmcore, 2559 * 4096 + 4090, buf, 9), KD_ERR_HOLE);
	vmcore_window_release(&window);
	vmcore_close(vmcore);
}

static void test_kdump(void **state)
{
	for (size_t i = 0; codecs[i]; i++) {
		filter(core, dump, 31, codecs[i]);
		check_contents(dump, false, false);
	}
	filter(core, dump, 0, NULL);
	check_contents(dump, true, true);
}

static void test_identity(void **state)
{
	struct dumpfilter_identity identity;
	const struct vmcore_origin *origin;
	struct vmcore *vmcore;

	filter(core, dump, 17, &codec_zlib);
	assert_no_error(dumpfilter_identify(dump, &identity));
	assert_string_equal(identity.release, "6.1.0-test");
	assert_string_equal(identity.nodename, "node");
	assert_string_equal(identity.build_id, "00112233");
	assert_int_equal(identity.crash_time, 99);
	assert_int_equal(identity.memory, RAM_SIZE);
	assert_no_error(vmcore_open(dump, &vmcore));
	origin = vmcore_origin(vmcore);
	assert_string_equal(origin->format, "kdump");
	assert_int_equal(origin->level, 17);
	assert_int_equal(origin->codec, 1);
	assert_int_equal(origin->page_size, 4096);
	assert_false(origin->incomplete || origin->flattened || origin->split);
	vmcore_close(vmcore);
}

/* Filtering a dump again: pages that were left out stay out, and the levels add up. */
static void test_refilter(void **state)
{
	const struct vmcore_origin *origin;
	struct vmcore *vmcore;

	filter(core, dump, 16, &codec_zlib);
	check_contents(dump, false, true);
	filter(dump, other, 9, &codec_zstd);
	check_contents(other, false, false);
	assert_no_error(vmcore_open(other, &vmcore));
	origin = vmcore_origin(vmcore);
	assert_int_equal(origin->level, 25);
	assert_int_equal(origin->codec, 0x20);
	assert_int_equal(origin->crash_time, 99);
	vmcore_close(vmcore);
}

/* As makedumpfile -F writes it; @backwards: the header comes last. */
static void flatten(const char *in, const char *out, size_t piece, bool backwards, bool end)
{
	size_t size;
	_cleanup_free_ uint8_t *data = read_whole(in, &size);
	uint8_t header[FLATTENED_HEADER_SIZE] = FLATTENED_SIGNATURE;
	struct flattened_header numbers = { .type = htobe64(1), .version = htobe64(1) };
	struct flattened_record last = { UINT64_MAX, UINT64_MAX };
	FILE *file = fopen(out, "w");

	assert_non_null(file);
	memcpy(header + 16, &numbers.type, 16);
	fwrite(header, sizeof(header), 1, file);
	for (size_t i = 0, count = (size + piece - 1) / piece; i < count; i++) {
		size_t at = (backwards ? count - 1 - i : i) * piece;
		size_t length = size - at < piece ? size - at : piece;
		struct flattened_record record = { htobe64(at), htobe64(length) };

		fwrite(&record, sizeof(record), 1, file);
		fwrite(data + at, length, 1, file);
	}
	if (end)
		fwrite(&last, sizeof(last), 1, file);
	assert_int_equal(fclose(file), 0);
}

static void test_flattened(void **state)
{
	const struct vmcore_origin *origin;
	struct vmcore *vmcore;
	uint64_t number;

	filter(core, dump, 31, &codec_zlib);
	flatten(dump, other, 12345, true, true);
	check_contents(other, false, false);
	assert_no_error(vmcore_open(other, &vmcore));
	origin = vmcore_origin(vmcore);
	assert_string_equal(origin->format, "kdump");
	assert_true(origin->flattened);
	assert_false(origin->incomplete);
	vmcore_close(vmcore);
	flatten(core, other, 1 << 20, false, true);
	check_contents(other, true, true);

	/* Cut off: what came is there, and it says that it is not whole. */
	flatten(dump, other, 65536, false, false);
	assert_no_error(vmcore_open(other, &vmcore));
	assert_true(vmcore_origin(vmcore)->incomplete);
	vmcore_close(vmcore);
	flatten(dump, other, 65536, true, true);
	assert_int_equal(truncate(other, 100000), 0);
	assert_code(vmcore_open(other, &vmcore), KD_ERR_FORMAT);

	/* Two records for the same place; a record that ends beyond every file. */
	for (int i = 0; i < 2; i++) {
		flatten(dump, other, 65536, false, true);
		int fd = open(other, O_WRONLY | O_CLOEXEC);
		number = i ? htobe64(INT64_MAX) : htobe64(60000);
		assert_int_equal(kd_pwrite_all(fd, &number, 8, 4096 + 16 + 65536), 0);
		close(fd);
		assert_code(vmcore_open(other, &vmcore), KD_ERR_FORMAT);
	}
}

/* Run the filter with standard output going to a file. */
static void filter_to_stream(const char *in, const char *out, unsigned int level, const struct codec *codec)
{
	struct dumpfilter_options options = {
		.level = level, .codec = codec, .flatten = true, .early = true, .threads = 2
	};
	int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), saved = dup(STDOUT_FILENO);
	struct kd_error *err;

	assert_true(fd >= 0 && saved >= 0);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	err = dumpfilter_run(in, NULL, &options, NULL);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(fd);
	assert_no_error(err);
}

static void rearrange(const char *in, const char *out, enum kd_error_code expected)
{
	_cleanup_close_ int fd = open(in, O_RDONLY | O_CLOEXEC);

	unlink(out);
	if (expected)
		assert_code(dumpfilter_rearrange(fd, out, false), expected);
	else
		assert_no_error(dumpfilter_rearrange(fd, out, false));
}

static void test_stream(void **state)
{
	struct flattened_record record;
	size_t size;

	filter_to_stream(core, other, 31, &codec_zlib);
	check_contents(other, false, false);
	rearrange(other, dump, 0);
	check_contents(dump, false, false);
	/* The record with the status of the dump is the last but for the end. */
	_cleanup_free_ uint8_t *data = read_whole(other, &size);
	memcpy(&record, data + size - 16, 16);
	assert_true(record.offset == UINT64_MAX && record.size == UINT64_MAX);
	memcpy(&record, data + size - 16 - 4 - 16, 16);
	assert_int_equal(be64toh(record.offset), offsetof(struct kdump_header, status));
	assert_int_equal(be64toh(record.size), 4);

	assert_int_equal(truncate(other, (off_t)size - 16), 0);
	rearrange(other, dump, KD_ERR_FORMAT);
	rearrange(core, dump, KD_ERR_FORMAT);
	assert_int_equal(access(dump, F_OK), -1);
}

/* A part of a stream. */
struct part {
	const uint8_t *data;
	size_t left;
};

static struct kd_error *read_part(void *arg, void *buf, size_t size, size_t *done)
{
	struct part *part = arg;

	*done = part->left < size ? part->left : size;
	memcpy(buf, part->data, *done);
	part->data += *done;
	part->left -= *done;
	return NULL;
}

/* Of a stream that was cut off, what came is a dump that says that it is incomplete. */
static void test_stream_cut(void **state)
{
	size_t size;

	filter_to_stream(core, other, 31, &codec_zlib);
	_cleanup_free_ uint8_t *data = read_whole(other, &size);
	for (size_t tenth = 3; tenth < 10; tenth++) {
		struct part part = { data, size / 10 * tenth };
		const struct dumpfilter_stream in = { .read = read_part, .arg = &part };
		struct vmcore *vmcore;
		bool whole = true;

		unlink(dump);
		assert_no_error(dumpfilter_rearrange_stream(&in, dump, false, &whole));
		assert_false(whole);
		assert_no_error(vmcore_open(dump, &vmcore));
		assert_true(vmcore_origin(vmcore)->incomplete);
		vmcore_close(vmcore);
	}
}

static void test_elf(void **state)
{
	struct dumpfilter_options options = { .level = 30, .writer = &writer_elf };
	struct vmcore *vmcore;
	struct stat st;

	/* Short runs of excluded pages are in it: only long ones are worth a segment. */
	unlink(dump);
	assert_no_error(dumpfilter_run(core, dump, &options, NULL));
	check_contents(dump, true, true);
	/* 300 pages of user memory, of which one is broken: never read. */
	for (uint64_t pfn = 3000; pfn < 3300; pfn++)
		machine_put(&machine, machine_page(pfn) + 24, 1, 8);
	machine_put(&machine, machine_page(3400), 1 << 23, 8);
	machine_write(&machine, core);
	unlink(dump);
	options.level = 31;
	assert_no_error(dumpfilter_run(core, dump, &options, NULL));
	assert_no_error(vmcore_open(dump, &vmcore));
	assert_string_equal(vmcore_origin(vmcore)->format, "ELF");
	assert_false(vmcore_origin(vmcore)->incomplete);
	assert_int_equal(kd_ranges_total(vmcore_ram(vmcore)), RAM_SIZE);
	assert_int_equal(kd_ranges_total(vmcore_contents(vmcore)), RAM_SIZE - 301 * 4096);
	assert_false(kd_ranges_contain(vmcore_contents(vmcore), 3400 * 4096, 3401 * 4096));
	for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn += 7) {
		uint8_t page[4096];

		if ((pfn >= 3000 && pfn < 3300) || pfn == 3400)
			continue;
		assert_no_error(vmcore_read(vmcore, pfn * 4096, page, sizeof(page)));
		assert_memory_equal(page, machine.ram + pfn * 4096, sizeof(page));
	}
	/* Segments as the vmcore has them: the image's first, by its virtual address. */
	size_t count;
	const struct vmcore_segment *segment = vmcore_segments(vmcore, &count);
	assert_int_equal(count, 6);
	assert_int_equal(segment[0].vaddr, STEXT);
	assert_int_equal(segment[0].memory_size, 2 << 20);
	/* Each is there as a whole or not at all, and then no byte of the file can be taken for its own. */
	assert_int_equal(stat(dump, &st), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(segment[i].file_size, i < 4 ? segment[i].memory_size : 0);
		assert_true(i < 4 || segment[i].file_offset >= (uint64_t)st.st_size);
	}
	vmcore_close(vmcore);
	/* Zero pages take no place. */
	assert_true((uint64_t)st.st_blocks * 512 < RAM_SIZE * 3 / 4);

	for (uint64_t pfn = 3000; pfn < 3300; pfn++)
		machine_put(&machine, machine_page(pfn) + 24, 0, 8);
	machine_put(&machine, machine_page(3400), 0, 8);
	machine_write(&machine, core);
}

static void test_split(void **state)
{
	char path[3][128];
	const char *paths[3] = { path[0], path[1], path[2] };
	struct dumpfilter_options options = {
		.level = 31, .codec = &codec_zlib, .writer = &writer_split, .part = paths + 1, .part_count = 2
	};
	uint64_t next = 0;

	for (int i = 0; i < 3; i++)
		snprintf(path[i], sizeof(path[i]), "%s.%d", dump, i);
	assert_no_error(dumpfilter_run(core, path[0], &options, NULL));
	for (int i = 0; i < 3; i++) {
		struct vmcore *vmcore;

		assert_no_error(vmcore_open(path[i], &vmcore));
		const struct vmcore_origin *origin = vmcore_origin(vmcore);
		assert_true(origin->split && !origin->incomplete);
		assert_int_equal(origin->start_pfn, next);
		assert_true(origin->start_pfn % 64 == 0);
		next = origin->end_pfn;
		assert_in_range(kd_ranges_total(vmcore_contents(vmcore)) / 4096, 1900, 2200);
		vmcore_close(vmcore);
	}
	assert_int_equal(next, RAM_PAGES);
	unlink(other);
	paths[0] = path[2]; /* in any order */
	paths[2] = path[0];
	assert_no_error(dumpfilter_reassemble(paths, 3, other, false));
	check_contents(other, false, false);
	/* One is missing; one is of another dump; one is no part. */
	unlink(other);
	assert_code(dumpfilter_reassemble(paths, 2, other, false), KD_ERR_FORMAT);
	assert_code(dumpfilter_reassemble(paths + 1, 2, other, false), KD_ERR_FORMAT);
	filter(core, dump, 31, &codec_zlib);
	paths[0] = dump;
	assert_code(dumpfilter_reassemble(paths, 3, other, false), KD_ERR_FORMAT);
	assert_int_equal(access(other, F_OK), -1);
	for (int i = 0; i < 3; i++)
		unlink(path[i]);
}

static void test_dry_run(void **state)
{
	struct dumpfilter_options options = { .level = 31, .codec = &codec_zlib, .dry_run = true, .threads = 1 };
	struct dumpfilter_report dry, real;
	struct stat st;

	assert_no_error(dumpfilter_run(core, NULL, &options, &dry));
	options.dry_run = false;
	unlink(dump);
	assert_no_error(dumpfilter_run(core, dump, &options, &real));
	assert_int_equal(stat(dump, &st), 0);
	assert_memory_equal(dry.pages, real.pages, sizeof(dry.pages));
	/* Which of two equal pages are found depends on a key that is drawn for each run (page_share.h). */
	assert_in_range(dry.bytes_written, st.st_size - st.st_size / 100, st.st_size + st.st_size / 100);
}

/* Read everything, with any result. */
static bool read_through(const char *path)
{
	struct vmcore_window window;
	struct vmcore *vmcore;
	static uint8_t buf[65536];
	const uint8_t *data;
	struct kd_error *err = vmcore_open(path, &vmcore);
	bool good = !err;

	kd_error_destroy(err);
	if (!good)
		return false;
	vmcore_window_init(&window, vmcore);
	for (uint64_t paddr = 0; paddr < RAM_SIZE; paddr += sizeof(buf)) {
		err = vmcore_window_get(&window, paddr, sizeof(buf), buf, &data);
		good = good && !err;
		kd_error_destroy(err);
	}
	vmcore_window_release(&window);
	vmcore_close(vmcore);
	return good;
}

static void put_at(const char *path, uint64_t offset, uint64_t value, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(kd_pwrite_all(fd, &value, size, (off_t)offset), 0);
	close(fd);
}

static void test_hostile_kdump(void **state)
{
	static const struct {
		uint64_t offset;
		size_t size;
		uint64_t value;
		/* clang-format off */
	} lies[] = {
		{ 428, 4, 0 }, { 428, 4, 4097 }, { 428, 4, UINT64_C(1) << 31 }, /* block_size */
		{ 432, 4, UINT32_MAX }, { 436, 4, UINT32_MAX }, { 436, 4, 0 }, { 436, 4, 1 },
		{ 4096 + 96, 8, 0 }, { 4096 + 96, 8, UINT64_MAX }, { 4096 + 96, 8, UINT64_C(1) << 40 },
		{ 4096 + 48, 8, UINT64_MAX }, { 4096 + 48, 8, UINT64_C(1) << 50 }, /* notes */
		{ 4096 + 56, 8, UINT64_MAX }, { 4096 + 56, 8, UINT64_C(1) << 40 },
	};
	/* clang-format on */
	size_t size;

	filter(core, dump, 31, &codec_zlib);
	assert_true(read_through(dump));
	_cleanup_free_ uint8_t *whole = read_whole(dump, &size);
	struct kdump_header header;
	memcpy(&header, whole, sizeof(header));
	uint64_t descs = (1 + (uint64_t)header.sub_header_blocks + header.bitmap_blocks) * 4096;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		write_whole(other, whole, size);
		put_at(other, lies[i].offset, lies[i].value, lies[i].size);
		assert_false(read_through(other));
	}
	/* page_descs: offset, size, compression. */
	static const struct page_desc wrong[] = {
		{ UINT64_MAX, 100, 1, 0 }, { 1, 100, 1, 0 },       { 1 << 20, 4097, 1, 0 },   { 1 << 20, 0, 1, 0 },
		{ 1 << 20, 100, 0, 0 },    { 1 << 20, 100, 3, 0 }, { 1 << 20, 100, 0x40, 0 }, { 0, 0, 0, 0 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		write_whole(other, whole, size);
		int fd = open(other, O_WRONLY | O_CLOEXEC);
		assert_int_equal(kd_pwrite_all(fd, &wrong[i], sizeof(wrong[i]), (off_t)(descs + 5 * 24)), 0);
		close(fd);
		assert_false(read_through(other));
	}
	/* Anything anywhere, and an end anywhere: no crash, no endless loop. */
	uint32_t random = 1;
	for (int i = 0; i < 150; i++) {
		write_whole(other, whole, size);
		for (int j = 0; j < 1 + i % 20; j++) {
			random = random * 1664525 + 1013904223;
			put_at(other, (random >> 4) % (i % 3 ? descs + 65536 : size - 8), random * 0x9e3779b97f4a7c15,
			       1 + j % 8);
		}
		read_through(other);
	}
	for (size_t cut = 0; cut < size; cut += 1 + cut / 2) {
		write_whole(other, whole, cut);
		assert_false(read_through(other));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kdump),    cmocka_unit_test(test_identity),
		cmocka_unit_test(test_refilter), cmocka_unit_test(test_flattened),
		cmocka_unit_test(test_stream),   cmocka_unit_test(test_stream_cut),
		cmocka_unit_test(test_elf),      cmocka_unit_test(test_split),
		cmocka_unit_test(test_dry_run),  cmocka_unit_test(test_hostile_kdump),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
