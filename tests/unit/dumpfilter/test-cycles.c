/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps made in cycles, one window of page frames after the other, have the same contents as a dump made at once. */
#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/pages/memory_plan.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "dumpfilter/write/writer.h"
#include "tests/unit/dumpfilter/dump-check.h"
#include "tests/unit/dumpfilter/dumpfilter-testing.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

#define FREE       ((uint32_t)-129)
#define SLAB_PAGE  UINT64_C(6000) /* in one of the last windows */
#define STEXT_PAGE (STEXT_PHYS / 4096)

static char dir[TEMPORARY_SIZE], core[96], whole[96], cycled[96], stream[96];
static struct machine machine;
static uint64_t memory_size; /* that the vmcore claims to have, if not 0 */

static void put_page(uint64_t pfn, uint64_t flags, uint64_t mapping, uint32_t mapcount, uint64_t private_data)
{
	machine_put(&machine, machine_page(pfn), flags, 8);
	machine_put(&machine, machine_page(pfn) + 24, mapping, 8);
	machine_put(&machine, machine_page(pfn) + 40, private_data, 8);
	machine_put(&machine, machine_page(pfn) + 48, mapcount, 4);
}

/* Make a page differ from all others, unless it is one of the kernel's own. */
static void mark(uint64_t pfn)
{
	bool struct_page = pfn >= MEM_MAP / 4096 && pfn < MEM_MAP / 4096 + 512;

	if (!struct_page && (pfn < STEXT_PAGE || pfn >= STEXT_PAGE + 512))
		machine_put(&machine, pfn * 4096 + 4000, pfn << 20 | 1, 8);
}

static void mark_all(void)
{
	for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn++)
		mark(pfn);
	machine_write(&machine, core);
}

/* Of every class, some pages with contents of their own; what is larger than a page lies across ends of windows. */
static void populate(void)
{
	put_page(100, LRU, 0x1000, 0, 0);
	put_page(101, LRU | PRIVATE, 0x1000, 0, 0);
	put_page(200, HWPOISON, 0, UNMAPPED, 0);
	put_page(201, 0, 0, (uint32_t)-257, 0);
	put_page(2048, 0, 0, FREE, 10);                /* a free block of 1024 pages */
	put_page(512, HEAD_6_1 | LRU, 1, UNMAPPED, 0); /* anonymous, 512 pages */
	for (uint64_t pfn = 513; pfn < 1024; pfn++)
		machine_put(&machine, machine_page(pfn) + 8, (VMEMMAP + 512 * 64) | 1, 8);
	machine.ram[machine_page(513) + 17] = 9;
	put_page(600, HWPOISON, 0, UNMAPPED, 0);
	for (uint64_t pfn = SLAB_PAGE; pfn < SLAB_PAGE + 20; pfn++)
		put_page(pfn, SLAB, 0, UNMAPPED, 0);
	for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn += 5)
		mark(pfn);
}

static int set_up(void **state)
{
	temporary_make(dir);
	snprintf(core, sizeof(core), "%s/vmcore", dir);
	snprintf(whole, sizeof(whole), "%s/whole", dir);
	snprintf(cycled, sizeof(cycled), "%s/cycled", dir);
	snprintf(stream, sizeof(stream), "%s/stream", dir);
	memory_size = 0;
	machine_init(&machine, 4);
	populate();
	machine_write(&machine, core);
	return 0;
}

static int tear_down(void **state)
{
	machine_release(&machine);
	temporary_remove(dir);
	return 0;
}

static void run(const char *out, const struct dumpfilter_options *options, struct dumpfilter_report *report)
{
	unlink(out);
	assert_no_error(dumpfilter_run(core, out, options, report));
}

/* The same pages, and the same in them. */
static void assert_same(const char *a_path, const char *b_path)
{
	_cleanup_(vmcore_close) struct vmcore *a = NULL, *b = NULL;
	uint8_t a_page[4096], b_page[4096];

	assert_no_error(vmcore_open(a_path, &a));
	assert_no_error(vmcore_open(b_path, &b));
	assert_int_equal(vmcore_origin(a)->max_mapnr, vmcore_origin(b)->max_mapnr);
	assert_int_equal(vmcore_origin(a)->level, vmcore_origin(b)->level);
	assert_int_equal(vmcore_origin(a)->incomplete, vmcore_origin(b)->incomplete);
	assert_int_equal(vmcore_contents(a)->count, vmcore_contents(b)->count);
	for (size_t i = 0; i < vmcore_contents(a)->count; i++) {
		struct kd_range range = vmcore_contents(a)->range[i];

		assert_memory_equal(&range, &vmcore_contents(b)->range[i], sizeof(range));
		for (uint64_t at = range.start; at < range.end; at += 4096) {
			assert_no_error(vmcore_read(a, at, a_page, 4096));
			assert_no_error(vmcore_read(b, at, b_page, 4096));
			assert_memory_equal(a_page, b_page, 4096);
		}
	}
}

static const uint64_t windows[] = { 64, 128, 320, 1000, 4096 };

static void test_same(void **state)
{
	static const unsigned int levels[] = { 31, 0, 1, 10 };
	struct dumpfilter_report report, again;

	for (size_t k = 0; k < ARRAY_SIZE(levels); k++) {
		struct dumpfilter_options options = { .level = levels[k], .codec = &codec_default, .threads = 1 };

		run(whole, &options, &report);
		for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
			options.window_pages = windows[i];
			options.threads = i % 2 ? 3 : 1;
			run(cycled, &options, &again);
			assert_memory_equal(again.pages, report.pages, sizeof(report.pages));
			assert_int_equal(again.pages_written, report.pages_written);
			assert_true(report.windows == 1 && again.windows > 1);
			assert_same(whole, cycled);
			options.window_pages = 0;
		}
	}
	assert_int_equal(report.pages[PAGE_FREE], 1024);
	assert_int_equal(report.pages[PAGE_USER], 511); /* but for the poisoned one */
}

/* With --dry-run the report tells the size that the dump would have. */
static void test_dry_run(void **state)
{
	struct dumpfilter_options options = { .level = 31, .codec = &codec_default, .threads = 1, .window_pages = 192 };
	struct dumpfilter_report report, dry;

	run(cycled, &options, &report);
	options.dry_run = true;
	assert_no_error(dumpfilter_run(core, NULL, &options, &dry));
	/* Equal pages are found by a hash that is another one each time. */
	assert_in_range(dry.bytes_written, report.bytes_written - 4096, report.bytes_written + 4096);
	assert_int_equal(dry.pages_written, report.pages_written);
}

static void to_stream(const struct dumpfilter_options *options)
{
	int fd = open(stream, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), saved = dup(STDOUT_FILENO);
	struct kd_error *err;

	assert_true(fd >= 0 && saved >= 0);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	err = dumpfilter_run(core, NULL, options, NULL);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(fd);
	assert_no_error(err);
}

/* Records of a stream do not overlap: written bytes cannot be changed. */
static void assert_written_once(void)
{
	char *data;
	size_t size;

	assert_no_error(kd_read_file(stream, 256 << 20, &data, &size));
	_cleanup_free_ uint8_t *seen = calloc(1, 64 << 20);
	assert_non_null(seen);
	for (size_t at = 4096, length; at < size; at += 16 + length) {
		uint64_t offset, record;

		memcpy(&offset, data + at, 8);
		memcpy(&record, data + at + 8, 8);
		offset = __builtin_bswap64(offset);
		if (offset == UINT64_MAX)
			break;
		length = __builtin_bswap64(record);
		assert_true(offset + length <= 64 << 20);
		for (size_t i = 0; i < length; i++)
			assert_int_equal(seen[offset + i]++, 0);
	}
	free(data);
}

static void test_stream(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
		struct dumpfilter_options options = { .level = 31, .codec = &codec_default, .threads = i % 2 ? 3 : 1 };
		_cleanup_close_ int fd = -1;

		run(whole, &options, NULL);
		options.window_pages = windows[i];
		options.flatten = true;
		to_stream(&options);
		assert_written_once();
		fd = open(stream, O_RDONLY | O_CLOEXEC);
		unlink(cycled);
		assert_no_error(dumpfilter_rearrange(fd, cycled, false));
		assert_same(whole, cycled);
	}
}

/* A dump that was filtered before: its own bitmap tells its pages. */
static void test_refilter(void **state)
{
	struct dumpfilter_options options = { .level = 0, .codec = &codec_default };

	run(stream, &options, NULL);
	options.level = 31;
	run(whole, &options, NULL);
	options.window_pages = 128;
	unlink(cycled);
	assert_no_error(dumpfilter_run(stream, cycled, &options, NULL));
	assert_same(whole, cycled);
}

/* Wherever writing stops, the file is a dump; and the pages that are needed to open it come before all others, in
 * whatever window they are. */
static void test_size_limit(void **state)
{
	struct dumpfilter_options options = { .level = 0, .threads = 1, .window_pages = 256 };
	uint64_t seen = 0, filled = 0;
	struct dumpfilter_report report;
	struct dump_check check;

	mark_all();
	for (uint64_t limit = 4096; limit < 20 << 20; limit += limit < 1 << 20 ? 20000 : 1234567) {
		_cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
		uint8_t page[4096];
		struct stat st;

		options.size_limit = limit;
		unlink(cycled);
		assert_code(dumpfilter_run(core, cycled, &options, &report), KD_ERR_OS);
		assert_true(report.full);
		assert_int_equal(stat(cycled, &st), 0);
		assert_true((uint64_t)st.st_size <= limit);
		if (limit < 600 << 10)
			continue;
		assert_null(dump_check(cycled, &check));
		assert_true(check.incomplete);
		assert_true(check.filled >= filled);
		filled = check.filled;
		assert_no_error(vmcore_open(cycled, &vmcore));
		for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn++) {
			struct kd_error *err = vmcore_read(vmcore, pfn * 4096, page, 4096);

			if (!err)
				assert_memory_equal(page, machine.ram + pfn * 4096, 4096);
			/* Ordinary pages of the first window, before the slab and the image of the last ones. */
			if (pfn == 10 && !err) {
				assert_no_error(vmcore_read(vmcore, SLAB_PAGE * 4096, page, 4096));
				assert_no_error(vmcore_read(vmcore, STEXT_PHYS, page, 4096));
				seen++;
			}
			kd_error_destroy(err);
		}
	}
	assert_true(seen > 3 && filled > RAM_PAGES * 3 / 4);
	/* The next level, when there is no room. */
	options.size_limit = 19 << 20;
	options.fallback_level[0] = 31;
	options.fallback_count = 1;
	run(cycled, &options, &report);
	options.window_pages = options.size_limit = options.fallback_count = 0;
	options.level = 31;
	run(whole, &options, NULL);
	assert_same(whole, cycled);
}

/* Pages that a higher level would drop come after all other pages, whatever their window. */
static void test_late(void **state)
{
	struct dumpfilter_options options = { .level = 0, .threads = 1, .window_pages = 64 };
	_cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
	uint8_t page[4096];

	mark_all();
	options.size_limit = UINT64_C(17) << 20; /* 1536 pages are late, and 3584 of the others differ */
	unlink(cycled);
	assert_code(dumpfilter_run(core, cycled, &options, NULL), KD_ERR_OS);
	assert_no_error(vmcore_open(cycled, &vmcore));
	assert_code(vmcore_read(vmcore, 3000 * 4096, page, 4096), KD_ERR_HOLE);
	assert_no_error(vmcore_read(vmcore, 5800 * 4096, page, 4096));
}

/* All windows together come to what all at once comes to. */
static void assert_decided(bool unfiltered)
{
	struct dumpfilter_options options = { .level = 31, .threads = 1 };
	struct dumpfilter_report report, again;
	_cleanup_close_ int fd = -1;

	machine_write(&machine, core);
	if (memory_size)
		assert_true((fd = open(core, O_WRONLY | O_CLOEXEC)) >= 0 &&
			    pwrite(fd, &memory_size, 8,
				   sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, p_memsz)) == 8);
	run(whole, &options, &report);
	assert_int_equal(report.unfiltered, unfiltered);
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
		options.window_pages = windows[i];
		run(cycled, &options, &again);
		assert_int_equal(again.unfiltered, unfiltered);
		if (unfiltered)
			assert_int_equal(again.pages_written, RAM_PAGES - 2); /* poison counts */
		assert_memory_equal(again.pages, report.pages, sizeof(report.pages));
		assert_same(whole, cycled);
	}
}

/* The rules would drop most page tables, all of them in the last window: then they are not used in the first window
 * either. */
static void test_unfiltered(void **state)
{
	machine.next_table = RAM_SIZE - 12 * 4096;
	for (uint64_t i = 1; i <= 4; i++)
		machine_map(&machine, VMEMMAP + (i << 40), MEM_MAP, 4096);
	for (uint64_t i = 1; i <= 12; i++)
		put_page(RAM_PAGES - i, 0, 0, FREE, 0);
	assert_decided(true);
}

/* Struct pages of a second section, in a frame of the first one, which the rules would drop: the frame's window is over
 * before they are read, and still it is kept. */
static void test_kept_for_later(void **state)
{
	const uint64_t section = 32768, frame = 1700; /* behind those of the first */

	machine_put(&machine, SECTION_0 - STEXT + STEXT_PHYS + 32, VMEMMAP | 0x3f, 8);
	machine_map(&machine, VMEMMAP + section * 64, frame * 4096, 4096);
	memory_size = (section + 64) * 4096; /* but the vmcore has not that much */
	put_page(frame, 0, 0, FREE, 0);
	assert_decided(false);

	_cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
	uint8_t page[4096];

	assert_no_error(vmcore_open(cycled, &vmcore));
	assert_no_error(vmcore_read(vmcore, frame * 4096, page, sizeof(page)));
}

/* Without page tables there are no rules: the dump has every page. */
static void test_unreadable_tables(void **state)
{
	struct dumpfilter_options options = { .level = 31, .window_pages = 128 };
	struct dumpfilter_report report;

	machine_forget(&machine, "SYMBOL(mem_section)");
	machine_write(&machine, core);
	run(cycled, &options, &report);
	assert_true(report.unfiltered);
	assert_int_equal(report.pages_written, RAM_PAGES);
	machine.info[0] = '\0';
	machine_write(&machine, core);
	run(cycled, &options, &report);
	assert_true(report.unfiltered);
	assert_int_equal(report.pages_written, RAM_PAGES);
}

/* A vmcore that claims more memory than any machine has must not lead to endless cycles. */
static void test_absurd(void **state)
{
	struct dumpfilter_options options = { .level = 31, .window_pages = UINT64_C(1) << 20 };
	_cleanup_close_ int fd = open(core, O_WRONLY | O_CLOEXEC);
	const uint64_t size = UINT64_C(1) << 60;

	assert_int_equal(pwrite(fd, &size, 8,
				sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, p_memsz)),
			 8);
	assert_code(dumpfilter_run(core, cycled, &options, NULL), KD_ERR_NOMEM);
}

struct change {
	uint64_t pfn;
	bool slab;
};

/* Pages of the first window are written: from now on the page is free, or slab. */
static void change_vmcore(void *arg, uint64_t done, uint64_t total)
{
	const struct change *change = arg;
	uint64_t value = change->slab ? SLAB : FREE, at = 0x4000 + machine_page(change->pfn) + (change->slab ? 0 : 48);
	_cleanup_close_ int fd = open(core, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, &value, change->slab ? 8 : 4, (off_t)at), change->slab ? 8 : 4);
}

/* The table of page_descs has place for what was counted: a vmcore that changes must not get more, or other pages in.
 */
static void test_changing(void **state)
{
	static const struct change changes[] = { { 5990, false }, { 5990, true }, { 1500, false }, { 1500, true } };
	struct dump_check check;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct change change = changes[i];
		struct dumpfilter_options options = { .level = 31,
						      .threads = 1,
						      .window_pages = 64,
						      .progress = change_vmcore,
						      .progress_arg = &change };

		machine_write(&machine, core);
		unlink(cycled);
		assert_code(dumpfilter_run(core, cycled, &options, NULL), KD_ERR_FORMAT);
		assert_null(dump_check(cycled, &check));
		assert_true(check.incomplete);
	}
}

static void test_census(void **state)
{
	struct dumpfilter_options options = { .level = 31 };
	struct dumpfilter_report report, again;
	struct dumpfilter_estimate estimate, other;

	assert_no_error(dumpfilter_census(core, &options, &report));
	assert_no_error(dumpfilter_estimate(core, &options, &estimate));
	options.window_pages = 64;
	assert_no_error(dumpfilter_census(core, &options, &again));
	assert_memory_equal(again.pages, report.pages, sizeof(report.pages));
	assert_no_error(dumpfilter_estimate(core, &options, &other));
	assert_int_equal(other.pages, estimate.pages);
	assert_in_range(other.size, estimate.size * 9 / 10, estimate.size * 11 / 10);
}

/* Formats that need all bitmaps at once get them, unless an option forbids it. */
static void test_formats(void **state)
{
	struct dumpfilter_options options = { .level = 31, .writer = &writer_elf, .threads = 1 };
	struct kd_error *err;

	run(whole, &options, NULL);
	options.window_pages = 64;
	run(cycled, &options, NULL);
	assert_same(whole, cycled);
	options.memory_limit = 1 << 20;
	unlink(cycled);
	err = dumpfilter_run(core, cycled, &options, NULL);
	assert_non_null(err);
	assert_int_equal(err->code, KD_ERR_LIMIT);
	assert_non_null(strstr(err->text, "at most 1024 KiB"));
	assert_non_null(strstr(err->text, "not made in cycles"));
	kd_error_destroy(err);
	assert_int_equal(access(cycled, F_OK), -1);
	options.writer = NULL;
	assert_code(dumpfilter_run(core, cycled, &options, NULL), KD_ERR_LIMIT);
	assert_int_equal(access(cycled, F_OK), -1);
}

/* In a process of its own, since memory that was used once counts: exit status 0 if it did with @limit more than it had
 * before. */
static int limited_run(uint64_t more)
{
	struct dumpfilter_options options = { .level = 0, .codec = &codec_default, .threads = 16, .window_pages = 64 };
	uint64_t now, peak, before;
	struct kd_error *err;

	memory_resident(&now, &peak);
	before = now;
	options.memory_limit = before + more;
	unlink(cycled);
	err = dumpfilter_run(core, cycled, &options, NULL);
	memory_resident(&now, &peak);
	if (err)
		return 1;
	return peak <= options.memory_limit ? 0 : 2;
}

static void test_limit(void **state)
{
	struct dumpfilter_options options = { .level = 0, .codec = &codec_default };
	int status;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	end_test("a sanitizer's own memory counts");
#endif
	run(whole, &options, NULL);
	for (uint64_t more = 8; more <= 32; more *= 2) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(limited_run(more << 20));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_same(whole, cycled);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dry_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stream, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refilter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_size_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_late, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unfiltered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kept_for_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unreadable_tables, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_absurd, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_changing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_census, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_formats, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
