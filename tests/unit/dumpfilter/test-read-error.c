/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vmcores that cannot be read everywhere, as on a bad disk. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/vmcore/read_error.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

/* Reads of these bytes of any file fail, as on a bad disk. */
static struct {
	uint64_t start, end;
} bad_bytes;

/* Replaces the C library's function, also for the code under test. */
ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
	if ((uint64_t)offset < bad_bytes.end && (uint64_t)offset + size > bad_bytes.start) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, buf, size, offset);
}

/* Exactly the unreadable pages are left out and counted. */
static void test_unreadable(void **state)
{
	static const struct {
		uint64_t start, end, count;
	} cases[] = {
		{ 50 * 4096 + 100, 50 * 4096 + 101, 1 }, { 2000 * 4096, 2003 * 4096, 3 },
		{ 2047 * 4096 + 1, 2048 * 4096 + 1, 2 }, { 0, 4096, 1 },
		{ RAM_SIZE - 1, RAM_SIZE, 1 },
	};
	struct dumpfilter_report report;
	uint8_t page[4096];
	struct machine machine;
	struct result result;

	machine_init(&machine, 4);
	machine_populate(&machine);
	machine_write(&machine, core);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct dumpfilter_options options = { .level = 31, .codec = &codec_zlib, .threads = i % 2 ? 3 : 1 };
		uint64_t start = cases[i / 2].start, end = cases[i / 2].end;

		bad_bytes.start = 0x4000 + start;
		bad_bytes.end = 0x4000 + end;
		assert_no_error(dumpfilter_run(core, dump, &options, &report));
		bad_bytes.end = 0;
		assert_int_equal(report.unreadable, cases[i / 2].count);
		assert_int_equal(report.first_unreadable.paddr, start / 4096 * 4096);
		assert_string_equal(report.first_unreadable.text, "Input/output error");
		assert_int_equal(report.pages_written, RAM_PAGES - 533 - cases[i / 2].count);
		read_result(&result);
		assert_int_equal(result.header.status, 1);
		for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn++) {
			bool bad = pfn >= start / 4096 && pfn <= (end - 1) / 4096;

			if (!has(result.bitmap2, pfn) || (pfn % 64 && !bad && pfn != start / 4096 - 1))
				continue;
			assert_int_equal(desc_of(&result, pfn).offset == 0, bad);
			if (bad)
				continue;
			expand(&result, pfn, page);
			assert_memory_equal(page, machine.ram + pfn * 4096, 4096);
		}
		free(result.file);
		unlink(dump);
	}
	/* Struct pages that cannot be read tell nothing: their pages are kept. */
	struct dumpfilter_options options = { .level = 31, .threads = 1 };
	bad_bytes.start = 0x4000 + MEM_MAP;
	bad_bytes.end = bad_bytes.start + 4096;
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	bad_bytes.end = 0;
	assert_false(report.unfiltered);
	assert_int_equal(report.pages[PAGE_CACHE], 1); /* its struct page is not among them */
	assert_int_equal(report.unreadable, 1);
	unlink(dump);
	machine_release(&machine);
}

/* The reported page is the lowest one, in one pass, in cycles, and with several threads. */
static void test_first_unreadable(void **state)
{
	struct dumpfilter_options options = { .level = 0 };
	struct dumpfilter_report report;
	struct machine machine;

	machine_init(&machine, 4);
	machine_populate(&machine);
	machine_write(&machine, core);
	/* The page of _stext is written long before the one in front of it. */
	bad_bytes.start = 0x4000 + STEXT_PHYS - 2 * 4096;
	bad_bytes.end = 0x4000 + STEXT_PHYS + 4096;
	for (unsigned int i = 0; i < 16; i++) {
		options.threads = i % 4 + 1;
		options.window_pages = i / 8 ? 128 : 0;
		assert_no_error(dumpfilter_run(core, dump, &options, &report));
		assert_int_equal(report.unreadable, 3);
		assert_int_equal(report.first_unreadable.paddr, STEXT_PHYS - 2 * 4096);
		assert_string_equal(report.first_unreadable.text, "Input/output error");
		unlink(dump);
	}
	bad_bytes.end = 0;
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_false(read_error_is_set(&report.first_unreadable));
	unlink(dump);
	machine_release(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_first_unreadable),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
