/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps, read back: their contents at each level, with each codec, with several threads, and within a size limit. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/write/writer.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

static void test_dump(void **state)
{
	struct dumpfilter_options options = { .level = 31, .codec = &codec_zlib, .threads = 1 };
	struct dumpfilter_report report;
	uint8_t page[4096];
	struct machine machine;
	struct result result;
	struct stat st;

	machine_init(&machine, 4);
	machine_info(&machine, "CRASHTIME=1795409463\n");
	machine_populate(&machine);
	machine_write(&machine, core);
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	read_result(&result);

	assert_int_equal(stat(dump, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, report.bytes_written);
	assert_int_equal(result.header.header_version, 6);
	assert_int_equal(result.header.status, 1);
	assert_int_equal(result.header.max_mapnr, RAM_PAGES);
	assert_int_equal(result.header.time_sec, 1795409463);
	assert_int_equal(result.header.time_usec, 0);
	assert_int_equal(result.header.cpu_count, 2);
	assert_string_equal(result.header.utsname[2], "6.1.0-test");
	assert_string_equal(result.header.utsname[4], "x86_64");
	assert_int_equal(result.sub.dump_level, 31);
	assert_int_equal(result.sub.max_mapnr_64, RAM_PAGES);
	assert_int_equal(result.sub.vmcoreinfo_size, strlen(machine.info));
	assert_memory_equal(result.file + result.sub.vmcoreinfo_offset, machine.info, strlen(machine.info));

	assert_int_equal(report.pages[PAGE_CACHE], 1);
	assert_int_equal(report.pages[PAGE_CACHE_PRIVATE], 1);
	assert_int_equal(report.pages[PAGE_USER], 1 + 511);
	assert_int_equal(report.pages[PAGE_FREE], 16);
	assert_int_equal(report.pages[PAGE_HWPOISON], 2); /* one of them in the huge page */
	assert_int_equal(report.pages[PAGE_OFFLINE], 1);
	assert_int_equal(report.pages[PAGE_KEEP], RAM_PAGES - 533);
	assert_int_equal(report.pages_written, RAM_PAGES - 533);
	assert_false(report.unfiltered);
	assert_int_equal(excluded(&result), 533);
	for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn++) {
		assert_true(has(result.bitmap1, pfn));
		if (!has(result.bitmap2, pfn) || (pfn % 16 && pfn != 51))
			continue;
		expand(&result, pfn, page);
		assert_memory_equal(page, machine.ram + pfn * 4096, 4096);
	}
	/* Zero pages share one. */
	assert_int_equal(desc_of(&result, 0).offset, desc_of(&result, 1).offset);
	assert_int_not_equal(desc_of(&result, 50).flags, 0);
	assert_int_equal(desc_of(&result, 51).flags, 0);
	/* The kernel image lies before what was at lower addresses. */
	assert_true(desc_of(&result, (UTS_NS - STEXT + STEXT_PHYS) / 4096).offset < desc_of(&result, 50).offset);
	free(result.file);

	assert_code(dumpfilter_run(core, dump, &options, NULL), KD_ERR_OS); /* it exists */
	unlink(dump);
	machine_release(&machine);
}

static void test_dump_levels(void **state)
{
	struct machine machine;

	machine_init(&machine, 5);
	machine_populate(&machine);
	/* Its tails point into the other vmemmap. */
	for (uint64_t pfn = 513; pfn < 1024; pfn++)
		machine_put(&machine, machine_page(pfn) + 8, (VMEMMAP_L5 + 512 * 64) | 1, 8);
	machine_write(&machine, core);
	for (unsigned int level = 0; level < 32; level++) {
		struct dumpfilter_options options = { .level = level };
		struct dumpfilter_report report;
		uint64_t expected = 2 + 1; /* poison, offline */
		struct result result;

		expected += level & 6 ? 1 : 0;
		expected += level & 4 ? 1 : 0;
		expected += level & 8 ? 512 : 0;
		expected += level & 16 ? 16 : 0;
		assert_no_error(dumpfilter_run(core, dump, &options, &report));
		read_result(&result);
		assert_int_equal(excluded(&result), expected);
		assert_int_equal(report.pages[PAGE_KEEP], RAM_PAGES - 533);
		assert_int_equal(report.pages[PAGE_USER] + report.pages[PAGE_HWPOISON], 514);
		assert_false(has(result.bitmap2, 200));
		assert_false(has(result.bitmap2, 600));
		/* Equal pages share what is stored, zeros or not; but only zero pages have a class of their own. */
		assert_int_equal(desc_of(&result, 0).offset, desc_of(&result, 1).offset);
		assert_int_equal(report.pages[PAGE_ZERO] > 0, level & 1);
		assert_int_equal(report.pages_shared > 0, 1);
		free(result.file);
		unlink(dump);
	}
	machine_release(&machine);
}

static void test_codecs(void **state)
{
	struct machine machine;

	machine_init(&machine, 4);
	machine_populate(&machine);
	machine_write(&machine, core);
	for (size_t i = 0; codecs[i]; i++) {
		struct dumpfilter_options options = { .level = 31, .codec = codecs[i] };
		struct result result;

		assert_no_error(dumpfilter_run(core, dump, &options, NULL));
		read_result(&result);
		assert_int_equal(result.header.status, codecs[i]->flag);
		assert_int_equal(desc_of(&result, 50).flags, codecs[i]->flag);
		assert_true(desc_of(&result, 50).size < 1000);
		assert_int_equal(desc_of(&result, 51).flags, 0);
		free(result.file);
		unlink(dump);
	}
	machine_release(&machine);
}

/* Every page is the same, whichever thread wrote it and whether or not it shares its data. */
static void test_threads(void **state)
{
	struct dumpfilter_options options = { .level = 0, .codec = &codec_zlib, .threads = 4 };
	struct dumpfilter_report report;
	uint8_t page[4096];
	struct machine machine;
	struct result result;

	machine_init(&machine, 4);
	machine_populate(&machine);
	for (uint64_t pfn = 1024; pfn < RAM_PAGES; pfn++) /* a few alike, far from each other */
		if (pfn % 4 && (pfn < MEM_MAP / 4096 || pfn > STEXT_PHYS / 4096 + 512))
			machine_put(&machine, pfn * 4096 + 8 * (pfn % 512), pfn % 700, 8);
	machine_write(&machine, core);
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	read_result(&result);
	assert_int_equal(report.pages_written, RAM_PAGES - 3);
	assert_in_range(report.pages_shared, 1000, RAM_PAGES);
	for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn += 3) {
		if (!has(result.bitmap2, pfn))
			continue;
		expand(&result, pfn, page);
		assert_memory_equal(page, machine.ram + pfn * 4096, 4096);
	}
	free(result.file);
	unlink(dump);
	machine_release(&machine);
}

/* The dump keeps to a size limit to the byte, and says that it is incomplete. */
static void test_size_limit(void **state)
{
	static const uint64_t limits[] = { 100, 4096, 64 << 10, (1 << 20) + 1, 6 << 20, (6 << 20) + 4096 };
	struct dumpfilter_report report;
	struct machine machine;
	struct result result;
	struct stat st;

	machine_init(&machine, 4);
	machine_populate(&machine);
	for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn++)
		machine_put(&machine, pfn * 4096 + 4000, pfn << 20, 8);
	machine_write(&machine, core);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(limits); i++) {
		struct dumpfilter_options options = { .level = 0,
						      .threads = i % 2 ? 3 : 1,
						      .size_limit = limits[i / 2] };

		assert_code(dumpfilter_run(core, dump, &options, &report), KD_ERR_OS);
		assert_true(report.full);
		assert_int_equal(stat(dump, &st), 0);
		assert_true((uint64_t)st.st_size <= options.size_limit);
		if (options.size_limit > 1 << 20) {
			assert_true((uint64_t)st.st_size + 4096 > options.size_limit);
			read_result(&result);
			assert_int_equal(result.header.status, KDUMP_STATUS_INCOMPLETE);
			if (options.size_limit >= 6 << 20 || options.threads == 1)
				assert_int_not_equal(desc_of(&result, STEXT_PHYS / 4096).offset, 0);
			free(result.file);
		}
		unlink(dump);
	}
	/* The next level is tried when there is no room. */
	struct dumpfilter_options options = {
		.level = 0, .fallback_level = { 31 }, .fallback_count = 1, .size_limit = 23 << 20
	};
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_false(report.full);
	read_result(&result);
	assert_int_equal(result.header.status, 0);
	assert_int_equal(result.sub.dump_level, 31);
	free(result.file);
	unlink(dump);
	machine_release(&machine);
}

static unsigned int lost_after; /* looks at the file, until the disk has refused something; 0: never */

int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned int flags);
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned int flags)
{
	if (lost_after == 0 || __atomic_sub_fetch(&lost_after, 1, __ATOMIC_RELAXED) > 0)
		return 0;
	errno = EIO;
	return -1;
}

/* The file system takes everything, and the disk nothing: no other page is given to them. */
static void test_lost_writes(void **state)
{
	static const struct writer_ops *const formats[] = { &writer_kdump, &writer_elf };
	struct machine machine;
	struct stat st;

	machine_init(&machine, 4);
	machine_populate(&machine);
	for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn++)
		machine_put(&machine, pfn * 4096 + 4000, pfn << 20, 8);
	machine_write(&machine, core);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(formats); i++) {
		struct dumpfilter_options options = { .writer = formats[i / 2], .threads = i % 2 ? 3 : 1 };
		struct dumpfilter_report report;
		off_t whole;

		lost_after = 0;
		assert_no_error(dumpfilter_run(core, dump, &options, &report));
		assert_int_equal(stat(dump, &st), 0);
		whole = st.st_blocks;
		unlink(dump);
		lost_after = 3;
		assert_code(dumpfilter_run(core, dump, &options, &report), KD_ERR_OS);
		assert_false(report.full);
		assert_int_equal(stat(dump, &st), 0);
		assert_true(st.st_blocks < whole / 2);
		unlink(dump);
	}
	lost_after = 0;
	machine_release(&machine);
}

/* A level whose pages had no room the first time has none the second time: what was written is kept. */
static void test_next_level_does_not_fit(void **state)
{
	struct dumpfilter_options options = { .fallback_level = { 31 }, .fallback_count = 1, .threads = 1 };
	static const struct {
		unsigned int level;
		uint64_t size_limit;
		unsigned int kept_level;
		bool full;
	} rows[] = {
		{ 1, UINT64_C(10) << 20, 31, false },
		{ 1, UINT64_C(4) << 20, 1, true },
		{ 0, UINT64_C(4) << 20, 31, true }, /* its pages of zeros might have been what had no room */
	};
	struct dumpfilter_report report;
	struct machine machine;
	struct result result;

	machine_init(&machine, 4);
	for (uint64_t pfn = 2100; pfn < 4096; pfn++) { /* 8 MiB */
		for (uint64_t i = 0; i < 4096; i += 8)
			machine_put(&machine, pfn * 4096 + i, (pfn * 4096 + i) * UINT64_C(0x9e3779b97f4a7c15), 8);
	}
	for (uint64_t pfn = 4700; pfn < 6100; pfn++) {
		machine_put(&machine, machine_page(pfn), LRU, 8);
		for (uint64_t i = 0; i < 4096; i += 8)
			machine_put(&machine, pfn * 4096 + i, (pfn * 4096 + i) * UINT64_C(0x9e3779b97f4a7c15), 8);
	}
	machine_write(&machine, core);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kd_error *err;

		options.level = rows[i].level;
		options.size_limit = rows[i].size_limit;
		err = dumpfilter_run(core, dump, &options, &report);
		if (rows[i].full)
			assert_code(err, KD_ERR_OS);
		else
			assert_no_error(err);
		assert_int_equal(report.full, rows[i].full);
		assert_true(report.front && report.pages_written > 0);
		read_result(&result);
		assert_int_equal(result.sub.dump_level, rows[i].kept_level);
		assert_int_equal(result.header.status & KDUMP_STATUS_INCOMPLETE,
				 rows[i].full ? KDUMP_STATUS_INCOMPLETE : 0);
		free(result.file);
		unlink(dump);
	}
	machine_release(&machine);
}

static void test_partial_pages(void **state)
{
	struct dumpfilter_options options = { .level = 0 };
	struct machine machine;
	struct result result;
	uint8_t page[4096];

	machine_init(&machine, 4);
	machine.head_cut = 0x800;
	machine.tail_cut = 0x400;
	memset(machine.ram, 0xaa, 0x1000);
	memset(machine.ram + RAM_SIZE - 0x1000, 0xbb, 0x1000);
	machine_write(&machine, core);
	for (int strict = 0; strict < 2; strict++) {
		options.strict_compat = strict;
		assert_no_error(dumpfilter_run(core, dump, &options, NULL));
		read_result(&result);
		assert_int_equal(result.header.max_mapnr, RAM_PAGES);
		assert_true(has(result.bitmap1, 0));
		assert_int_equal(has(result.bitmap1, RAM_PAGES - 1), !strict);
		assert_int_equal(has(result.bitmap2, RAM_PAGES - 1), !strict);
		expand(&result, 0, page);
		assert_int_equal(page[0x7ff], 0);
		assert_int_equal(page[0x800], 0xaa);
		free(result.file);
		unlink(dump);
	}
	machine_release(&machine);
}

static void test_identify(void **state)
{
	struct dumpfilter_identity identity;
	struct machine machine;

	machine_init(&machine, 4);
	machine_info(&machine, "CRASHTIME=99\n");
	machine_write(&machine, core);
	assert_no_error(dumpfilter_identify(core, &identity));
	assert_string_equal(identity.release, "6.1.0-test");
	assert_string_equal(identity.nodename, "node");
	assert_string_equal(identity.build_id, "00112233");
	assert_int_equal(identity.crash_time, 99);
	assert_int_equal(identity.memory, RAM_SIZE);
	assert_int_equal(identity.cpus, 2);
	/* Without the kernel's own tables it still has what VMCOREINFO says. */
	machine_forget(&machine, "SYMBOL(init_top_pgt)");
	machine_write(&machine, core);
	assert_no_error(dumpfilter_identify(core, &identity));
	assert_string_equal(identity.release, "6.1.0-test");
	assert_string_equal(identity.nodename, "");
	assert_string_equal(identity.machine, "x86_64");
	machine_release(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump),        cmocka_unit_test(test_dump_levels),
		cmocka_unit_test(test_codecs),      cmocka_unit_test(test_threads),
		cmocka_unit_test(test_size_limit),  cmocka_unit_test(test_next_level_does_not_fit),
		cmocka_unit_test(test_lost_writes), cmocka_unit_test(test_partial_pages),
		cmocka_unit_test(test_identify),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
