/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vmcores that lack something, and writing that stops: the dump has all that can be saved. */
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

/* Rules that do not fit, or no mem_map: the dump has every page but the poisoned ones. */
static void test_unfiltered(void **state)
{
	struct dumpfilter_options options = { .level = 31 };
	struct dumpfilter_report report;
	struct machine machine;
	struct result result;

	machine_init(&machine, 4);
	machine_populate(&machine);
	/* The frames of all page tables seem to be free. */
	for (uint64_t table = PHYS(ROOT_TABLE); table < machine.next_table; table += 4096)
		machine_put(&machine, machine_page(table / 4096) + 48, (uint32_t)-129, 4);
	machine_write(&machine, core);
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_true(report.unfiltered);
	assert_int_equal(report.pages_written, RAM_PAGES - 2);
	read_result(&result);
	assert_false(has(result.bitmap2, 200));
	assert_false(has(result.bitmap2, 600));
	free(result.file);
	unlink(dump);

	machine_forget(&machine, "SYMBOL(mem_section)");
	machine_write(&machine, core);
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_true(report.unfiltered);
	assert_int_equal(report.pages_written, RAM_PAGES);
	unlink(dump);

	machine.info[0] = '\0';
	machine_write(&machine, core);
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_true(report.unfiltered);
	read_result(&result);
	assert_string_equal(result.header.utsname[0], "Linux");
	assert_string_equal(result.header.utsname[4], "x86_64");
	free(result.file);
	unlink(dump);
	machine_release(&machine);
}

/* VMCOREINFO without one of its lines: the dump still has every page that it has with that line. */
static void test_keys_missing(void **state)
{
	/* What each of these tells apart is then kept. */
	static const struct {
		const char *key;
		enum page_class class;
	} decisive[] = {
		{ "NUMBER(PG_lru)", PAGE_CACHE },
		{ "NUMBER(PG_lru)", PAGE_CACHE_PRIVATE },
		{ "NUMBER(PG_private)", PAGE_CACHE },
		{ "NUMBER(PG_slab)", PAGE_USER },
		{ "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)", PAGE_FREE },
		{ "OFFSET(page.private)", PAGE_FREE },
		{ "LENGTH(zone.free_area)", PAGE_FREE },
		{ "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)", PAGE_OFFLINE },
	};
	static const unsigned int levels[] = { 31, 2 };
	struct dumpfilter_report report;
	struct result with, without;
	struct machine machine;
	unsigned int keys = 0;

	machine_init(&machine, 4);
	machine_populate(&machine);
	_cleanup_free_ char *info = strdup(machine.info);
	assert_non_null(info);
	for (size_t k = 0; k < ARRAY_SIZE(levels); k++) {
		struct dumpfilter_options options = { .level = levels[k] };

		strcpy(machine.info, info);
		machine_write(&machine, core);
		assert_no_error(dumpfilter_run(core, dump, &options, NULL));
		read_result(&with);
		unlink(dump);
		for (const char *line = info; *line; line = strchr(line, '\n') + 1) {
			char key[128];

			snprintf(key, sizeof(key), "%.*s", (int)strcspn(line, "="), line);
			strcpy(machine.info, info);
			machine_forget(&machine, key);
			machine_write(&machine, core);
			assert_no_error(dumpfilter_run(core, dump, &options, &report));
			read_result(&without);
			unlink(dump);
			for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn++)
				if (has(with.bitmap2, pfn) && !has(without.bitmap2, pfn))
					fail_msg("without %s page %lu is left out", key, pfn);
			for (size_t i = 0; i < ARRAY_SIZE(decisive); i++)
				if (strcmp(key, decisive[i].key) == 0 && report.pages[decisive[i].class])
					fail_msg("without %s there are %s pages", key,
						 page_class_name(decisive[i].class));
			free(without.file);
			keys++;
		}
		free(with.file);
	}
	assert_true(keys > 2 * 25);
	machine_release(&machine);
}

/* Where the mem_map is not mapped, pages are kept. */
static void test_mem_map_hole(void **state)
{
	struct dumpfilter_options options = { .level = 31 };
	struct dumpfilter_report report;
	struct machine machine;

	machine_init(&machine, 4);
	machine_populate(&machine);
	machine_put(&machine, SECTION_0 - STEXT + STEXT_PHYS, (VMEMMAP + 0x40000000) | 0x7, 8);
	machine_map(&machine, VMEMMAP + 0x40000000, MEM_MAP, 4096);
	machine_map(&machine, VMEMMAP + 0x40000000 + 0x2000, MEM_MAP + 0x2000, 4096);
	machine_write(&machine, core);
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_false(report.unfiltered);
	assert_int_equal(report.pages[PAGE_FREE], 16); /* pfn 128, in the second piece */
	assert_int_equal(report.pages[PAGE_CACHE], 0); /* pfn 100, in the hole */
	unlink(dump);
	machine_release(&machine);
}

/* A vmcore that was cut off: the missing pages are left out and counted. */
static void test_truncated_input(void **state)
{
	struct dumpfilter_options options = { .level = 31 };
	struct dumpfilter_report report;
	const uint64_t huge = UINT64_C(1) << 38;
	struct machine machine;

	machine_init(&machine, 4);
	machine_populate(&machine);
	machine_write(&machine, core);
	assert_int_equal(truncate(core, 0x4000 + (20 << 20)), 0);
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_int_equal(report.unreadable, 1024);
	assert_int_equal(report.first_unreadable.paddr, 20 << 20);
	assert_string_equal(report.first_unreadable.text, "the vmcore is truncated");
	assert_int_equal(report.pages_written + report.unreadable, RAM_PAGES - 533);
	unlink(dump);
	/* What is not there is not tried page by page. */
	patch_file(core, 64 + 2 * 56 + offsetof(Elf64_Phdr, p_filesz), &huge, sizeof(huge));
	patch_file(core, 64 + 2 * 56 + offsetof(Elf64_Phdr, p_memsz), &huge, sizeof(huge));
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_int_equal(report.unreadable, huge / 4096 - (20 << 8));
	assert_int_equal(report.pages_written, RAM_PAGES - 533 - 1024);
	unlink(dump);
	machine_release(&machine);
}

/* Writing stops early: the file is a dump, says that it is incomplete, and has the most important pages. */
static void test_cut_short(void **state)
{
	struct dumpfilter_options options = { .level = 0, .threads = 1 };
	const struct rlimit limit = { 6 << 20, RLIM_INFINITY }, none = { RLIM_INFINITY, RLIM_INFINITY };
	uint64_t image = STEXT_PHYS / 4096, present = 0;
	struct dumpfilter_report report;
	struct machine machine;
	struct result result;
	uint8_t page[4096];

	machine_init(&machine, 4);
	machine_populate(&machine);
	for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn++) /* so that no two are alike */
		machine_put(&machine, pfn * 4096 + 4000, pfn << 20, 8);
	machine_write(&machine, core);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_code(dumpfilter_run(core, dump, &options, &report), KD_ERR_OS);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	read_result(&result);
	assert_int_equal(result.header.status, KDUMP_STATUS_INCOMPLETE);
	assert_int_equal(excluded(&result), 3);
	for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn += 8) {
		if (!has(result.bitmap2, pfn) || !desc_of(&result, pfn).offset)
			continue;
		expand(&result, pfn, page);
		assert_memory_equal(page, machine.ram + pfn * 4096, 4096);
		present++;
	}
	assert_in_range(present, 100, 6 * 256 / 8);
	for (uint64_t pfn = image; pfn < image + 512; pfn++)
		assert_int_not_equal(desc_of(&result, pfn).offset, 0);
	/* Of a class that a higher level drops: last. */
	assert_int_equal(desc_of(&result, 100).offset, 0);
	free(result.file);
	unlink(dump);
	machine_release(&machine);
}

/* A wrong byte in headers, notes or tables may at most make the run fail. */
static void test_flipped_bytes(void **state)
{
	static const struct {
		uint64_t start, size;
	} areas[] = {
		{ 0, 64 + 3 * 56 },
		{ 0x1000, 4096 },
		{ 0x4000 + ROOT_TABLE - STEXT + STEXT_PHYS, 6 * 4096 },
		{ 0x4000 + MEM_MAP, 64 * 2048 },
	};
	struct dumpfilter_options options = { .level = 31, .codec = &codec_zstd };
	struct machine machine;
	uint32_t random = 12345;

	machine_init(&machine, 4);
	machine_populate(&machine);
	machine_write(&machine, core);
	for (int i = 0; i < 60; i++) {
		uint64_t start = areas[i % 4].start, size = areas[i % 4].size;
		uint8_t old, byte;

		random = random * 1664525 + 1013904223;
		start += (random >> 8) % size;
		int fd = open(core, O_RDWR | O_CLOEXEC);
		assert_int_equal(pread(fd, &old, 1, (off_t)start), 1);
		byte = (uint8_t)(old ^ (1u << (random & 7)));
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)start), 1);
		kd_error_destroy(dumpfilter_run(core, dump, &options, NULL));
		assert_int_equal(pwrite(fd, &old, 1, (off_t)start), 1);
		close(fd);
		unlink(dump);
	}
	machine_release(&machine);
}

/* A search page by page would take hours. With sanitizers an emulator may carry the test out. */
#ifdef __SANITIZE_ADDRESS__
#define SECONDS 100
#else
#define SECONDS 10
#endif

/* A kernel image that claims to have a TiB is not searched page by page. */
static void test_huge_image(void **state)
{
	struct dumpfilter_options options = { .level = 31, .threads = 1 };
	clock_t start = clock();
	struct machine machine;
	uint64_t size = UINT64_C(1) << 40;

	machine_init(&machine, 4);
	machine_write(&machine, core);
	int fd = open(core, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, &size, sizeof(size), 64 + 56 + offsetof(Elf64_Phdr, p_memsz)), sizeof(size));
	close(fd);
	assert_no_error(dumpfilter_run(core, dump, &options, NULL));
	assert_true(clock() - start < SECONDS * CLOCKS_PER_SEC);
	unlink(dump);
	machine_release(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unfiltered),   cmocka_unit_test(test_keys_missing),
		cmocka_unit_test(test_mem_map_hole), cmocka_unit_test(test_truncated_input),
		cmocka_unit_test(test_cut_short),    cmocka_unit_test(test_flipped_bytes),
		cmocka_unit_test(test_huge_image),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
