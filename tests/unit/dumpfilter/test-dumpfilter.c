/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/array.h"
#include "base/elf64.h"
#include "base/io.h"
#include "dumpfilter/cli/mem_usage.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/estimate.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/kernel/dmesg.h"
#include "dumpfilter/kernel/vmcoreinfo.h"
#include "dumpfilter/pages/page_class.h"
#include "dumpfilter/pages/page_scan.h"
#include "dumpfilter/pages/pfn_bitmap.h"
#include "dumpfilter/vmcore/kdump_format.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "dumpfilter/write/page_share.h"
#include "dumpfilter/write/pipeline.h"
#include "dumpfilter/write/writer.h"
#include "tests/unit/dumpfilter/dumpfilter-testing.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

#define assert_code(expr, expected)                                                                                    \
	do {                                                                                                           \
		struct kd_error *_err = (expr);                                                                        \
		assert_non_null(_err);                                                                                 \
		assert_int_equal(_err->code, expected);                                                                \
		kd_error_destroy(_err);                                                                                \
	} while (0)

static char dir[TEMPORARY_SIZE], core[96], dump[96];

static int make_dir(void **state)
{
	temporary_make(dir);
	snprintf(core, sizeof(core), "%s/vmcore", dir);
	snprintf(dump, sizeof(dump), "%s/dump", dir);
	return 0;
}

static int remove_dir(void **state)
{
	temporary_remove(dir);
	return 0;
}

/* VMCOREINFO */

static struct vmcoreinfo info_of(const char *text)
{
	return (struct vmcoreinfo){ text, strlen(text) };
}

static void test_vmcoreinfo(void **state)
{
	struct vmcoreinfo info = info_of("A=1\nSYMBOL(x)=ffffffff81000000\nSIZE(y)=64\nOFFSET(y.z)=8\nLENGTH(y)=11\n"
					 "NUMBER(neg)=-129\nNUMBER(hex)=0xffffffffffffff80\nNUMBER(bad)=1x\nAA=2\n"
					 "CRASHTIME=1\nCRASHTIME=99\nNUMBER(cut)=-1");
	struct vmcoreinfo none = { 0 };
	uint64_t value = 7;
	int64_t number = 7;
	char text[4];

	assert_true(vmcoreinfo_symbol(&info, "x", &value));
	assert_int_equal(value, 0xffffffff81000000);
	assert_true(vmcoreinfo_size(&info, "y", &value));
	assert_int_equal(value, 64);
	assert_true(vmcoreinfo_offset(&info, "y.z", &value));
	assert_int_equal(value, 8);
	assert_true(vmcoreinfo_length(&info, "y", &value));
	assert_int_equal(value, 11);
	assert_true(vmcoreinfo_number(&info, "neg", &number));
	assert_int_equal(number, -129);
	assert_true(vmcoreinfo_number(&info, "hex", &number));
	assert_int_equal(number, -128);
	assert_true(vmcoreinfo_number(&info, "cut", &number));
	assert_int_equal(number, -1);

	/* Whole keys only; the last of several counts; what is no number leaves the result alone. */
	assert_true(vmcoreinfo_decimal(&info, "A", &value));
	assert_int_equal(value, 1);
	assert_true(vmcoreinfo_decimal(&info, "CRASHTIME", &value));
	assert_int_equal(value, 99);
	assert_false(vmcoreinfo_size(&info, "y.z", &value));
	assert_false(vmcoreinfo_number(&info, "bad", &number));
	assert_int_equal(number, -1);
	assert_false(vmcoreinfo_get_string(&info, "SYMBOL(x)", text, sizeof(text)));
	assert_string_equal(text, "");
	assert_false(vmcoreinfo_decimal(&none, "A", &value));
}

static void test_pfn_bitmap(void **state)
{
	struct kd_ranges ranges = { 0 };
	struct pfn_bitmap bitmap;

	assert_true(pfn_bitmap_init(&bitmap, 1000));
	assert_int_equal(pfn_bitmap_next(&bitmap, 0), 1000);
	pfn_bitmap_set(&bitmap, 3, 70);
	pfn_bitmap_set(&bitmap, 990, 5000);
	assert_int_equal(pfn_bitmap_count(&bitmap, 0, 1000), 77);
	assert_int_equal(pfn_bitmap_count(&bitmap, 64, 2000), 16);
	pfn_bitmap_clear(&bitmap, 0, 65);
	assert_int_equal(pfn_bitmap_next(&bitmap, 0), 65);
	assert_int_equal(pfn_bitmap_next(&bitmap, 70), 990);
	assert_false(pfn_bitmap_test(&bitmap, 1000));
	assert_true(pfn_bitmap_test(&bitmap, 999));
	pfn_bitmap_clear(&bitmap, 0, 1000);

	assert_true(kd_ranges_add(&ranges, 0x1800, 0x3400));
	pfn_bitmap_set_ranges(&bitmap, &ranges, 4096, false);
	assert_int_equal(pfn_bitmap_count(&bitmap, 1, 4), 3);
	pfn_bitmap_clear(&bitmap, 0, 1000);
	pfn_bitmap_set_ranges(&bitmap, &ranges, 4096, true);
	assert_int_equal(pfn_bitmap_count(&bitmap, 0, 1000), 2);
	assert_false(pfn_bitmap_test(&bitmap, 3));
	pfn_bitmap_release(&bitmap);
	assert_false(pfn_bitmap_init(&bitmap, UINT64_C(1) << 52));
	kd_ranges_free(&ranges);
}

/* A bitmap of [@start, @end) is that of the whole machine, as far as it goes: whatever is done to both. */
static void test_pfn_window(void **state)
{
	static const struct {
		uint64_t start, end;
	} windows[] = { { 0, 320 }, { 64, 128 }, { 320, 640 }, { 704, 1000 }, { 960, 1000 } };
	static const uint64_t edges[] = { 0,   1,   63,  64,  65,  100, 128, 319,  320,
					  321, 500, 640, 703, 705, 960, 999, 1000, 3000 };
	struct pfn_bitmap whole, part;

	assert_true(pfn_bitmap_init(&whole, 1000));
	assert_true(pfn_bitmap_init(&part, 320));
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
		uint64_t start = windows[i].start, end = windows[i].end;

		pfn_bitmap_move(&part, start, end);
		assert_int_equal(pfn_bitmap_count(&part, 0, UINT64_MAX), 0);
		for (size_t from = 0; from < ARRAY_SIZE(edges); from++) {
			for (size_t to = from; to < ARRAY_SIZE(edges); to++) {
				bool set = (from + to) % 3;
				uint64_t a = edges[from], b = edges[to];

				(set ? pfn_bitmap_set : pfn_bitmap_clear)(&whole, a, b);
				(set ? pfn_bitmap_set : pfn_bitmap_clear)(&part, a, b);
				assert_int_equal(pfn_bitmap_count(&part, a, b),
						 a < end && b > start ? pfn_bitmap_count(&whole, a > start ? a : start,
											 b < end ? b : end) :
									0);
			}
			for (uint64_t pfn = 0; pfn < 1100; pfn++)
				assert_int_equal(pfn_bitmap_test(&part, pfn),
						 pfn >= start && pfn < end && pfn_bitmap_test(&whole, pfn));
		}
		for (uint64_t word = 0; word < 1000 / 64 + 2; word++)
			assert_int_equal(pfn_bitmap_word(&part, word),
					 word >= start / 64 && word * 64 < end ?
						 pfn_bitmap_word(&whole, word) &
							 (end - word * 64 < 64 ?
								  (UINT64_C(1) << (end - word * 64)) - 1 :
								  ~UINT64_C(0)) :
						 0);
		pfn_bitmap_clear(&part, 0, 1000);
		assert_int_equal(pfn_bitmap_next(&part, 0), end);
		pfn_bitmap_set(&part, end - 2, end + 5);
		assert_int_equal(pfn_bitmap_next(&part, 0), end - 2);
		assert_int_equal(pfn_bitmap_next(&part, end), end);
		pfn_bitmap_expect_few(&part);
		assert_int_equal(pfn_bitmap_count(&part, 0, 1000), 2);
	}
	pfn_bitmap_release(&whole);
	pfn_bitmap_release(&part);
}

/* vmcore: reading, and headers that lie */

static void test_vmcore(void **state)
{
	struct machine machine;
	struct vmcore *vmcore;
	struct vmcore_window window;
	const uint8_t *data;
	uint8_t buf[8192];
	size_t size;

	machine_init(&machine, 4);
	machine.head_cut = 0x800;
	machine.tail_cut = 0x400;
	memset(machine.ram, 0xaa, 0x1000);
	memset(machine.ram + RAM_SIZE - 0x1000, 0xbb, 0x1000);
	machine_write(&machine, core);
	assert_no_error(vmcore_open(core, &vmcore));
	assert_int_equal(vmcore_cpu_count(vmcore), 2);
	assert_non_null(vmcore_vmcoreinfo(vmcore, &size));
	assert_int_equal(size, strlen(machine.info));
	assert_int_equal(vmcore_end_paddr(vmcore), RAM_SIZE - 0x400);
	/* The image's segment repeats a part of RAM. */
	assert_int_equal(vmcore_ram(vmcore)->count, 1);

	assert_no_error(vmcore_read(vmcore, STEXT_PHYS - 16, buf, 4096));
	assert_memory_equal(buf, machine.ram + STEXT_PHYS - 16, 4096);
	assert_code(vmcore_read(vmcore, 0x7ff, buf, 16), KD_ERR_HOLE);
	assert_code(vmcore_read(vmcore, RAM_SIZE - 0x400, buf, 1), KD_ERR_HOLE);
	assert_code(vmcore_read(vmcore, UINT64_MAX - 4, buf, 16), KD_ERR_HOLE);

	/* What is not RAM of a page reads as zeros, whatever the file has there. */
	vmcore_window_init(&window, vmcore);
	assert_no_error(vmcore_window_get(&window, 0, 8192, buf, &data));
	assert_int_equal(data[0x7ff], 0);
	assert_int_equal(data[0x800], 0xaa);
	assert_no_error(vmcore_window_get(&window, RAM_SIZE - 0x1000, 0x1000, buf, &data));
	assert_int_equal(data[0xbff], 0xbb);
	assert_int_equal(data[0xc00], 0);
	/* A file is read; mapped, as /proc/vmcore is, the bytes are the same. */
	for (int mapped = 0; mapped < 2; mapped++) {
		assert_no_error(vmcore_window_get(&window, UTS_NS - STEXT + STEXT_PHYS, 390, buf, &data));
		assert_string_equal((const char *)data, "Linux");
		assert_int_equal(data != buf, mapped);
		window.no_mmap = false;
	}
	vmcore_window_release(&window);
	vmcore_close(vmcore);

	/* A copy that was cut off still gives what it has. */
	assert_int_equal(truncate(core, 0x4000 + 0x1000000), 0);
	assert_no_error(vmcore_open(core, &vmcore));
	assert_no_error(vmcore_read(vmcore, MEM_MAP, buf, 4096));
	assert_code(vmcore_read(vmcore, STEXT_PHYS, buf, 4096), KD_ERR_HOLE);
	assert_int_equal(vmcore_missing(vmcore), RAM_SIZE - machine.tail_cut - STEXT_PHYS);
	vmcore_close(vmcore);

	/* … but no page of which it has only a part. */
	assert_int_equal(truncate(core, 0x4000 + 0x1000000 - 1), 0);
	assert_no_error(vmcore_open(core, &vmcore));
	assert_code(vmcore_read(vmcore, STEXT_PHYS - 4096, buf, 4096), KD_ERR_HOLE);
	vmcore_close(vmcore);
	machine_release(&machine);
}

static void patch(const char *path, off_t offset, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(kd_pwrite_all(fd, data, size, offset), 0);
	close(fd);
}

static void test_hostile_headers(void **state)
{
	static const uint64_t all_ones = UINT64_MAX, huge = UINT64_C(1) << 60, last = UINT64_MAX - 4095;
	static const uint16_t xnum = PN_XNUM;
	static const struct {
		off_t offset;
		const void *data;
		size_t size;
		enum kd_error_code code;
	} cases[] = {
		{ 0, "\177EXF", 4, KD_ERR_FORMAT },
		{ EI_CLASS, "\1", 1, KD_ERR_UNSUPPORTED },
		{ offsetof(Elf64_Ehdr, e_machine), "\26", 1, KD_ERR_UNSUPPORTED },
		{ offsetof(Elf64_Ehdr, e_phoff), &all_ones, 8, KD_ERR_FORMAT },
		{ offsetof(Elf64_Ehdr, e_phnum), &xnum, 2, KD_ERR_FORMAT },
		{ 64 + offsetof(Elf64_Phdr, p_filesz), &all_ones, 8, KD_ERR_LIMIT },
		{ 64 + offsetof(Elf64_Phdr, p_offset), &huge, 8, KD_ERR_FORMAT },
		{ 120 + offsetof(Elf64_Phdr, p_paddr), &last, 8, KD_ERR_FORMAT },
		{ 120 + offsetof(Elf64_Phdr, p_offset), &all_ones, 8, KD_ERR_FORMAT },
		{ 176 + offsetof(Elf64_Phdr, p_filesz), &huge, 8, KD_ERR_FORMAT },
		{ 176 + offsetof(Elf64_Phdr, p_paddr), &huge, 8, KD_ERR_NOMEM },
	};
	struct dumpfilter_options options = { .level = 31 };
	struct machine machine;

	machine_init(&machine, 4);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		machine_write(&machine, core);
		patch(core, cases[i].offset, cases[i].data, cases[i].size);
		assert_code(dumpfilter_run(core, dump, &options, NULL), cases[i].code);
		/* Nothing is left behind by what was no dump. */
		assert_int_equal(access(dump, F_OK), -1);
	}
	machine_release(&machine);
	assert_code(dumpfilter_run("/nonexistent", dump, &options, NULL), KD_ERR_OS);
	assert_code(dumpfilter_run("/dev/null", dump, &options, NULL), KD_ERR_FORMAT);
}

/* More than 65534 program headers, and segments whose tail was left out. */
static void test_many_segments(void **state)
{
	enum { COUNT = 70000 };
	Elf64_Phdr *phdr = calloc(COUNT, sizeof(*phdr));
	Elf64_Shdr shdr = { .sh_info = COUNT };
	struct vmcore *vmcore;
	Elf64_Ehdr ehdr;
	uint64_t word;

	assert_non_null(phdr);
	kd_elf64_core_header(&ehdr, EM_X86_64, PN_XNUM);
	ehdr.e_shoff = sizeof(ehdr) + COUNT * sizeof(*phdr);
	ehdr.e_shentsize = sizeof(shdr);
	for (uint64_t i = 0; i < COUNT; i++)
		phdr[i] = (Elf64_Phdr){ .p_type = PT_LOAD,
					.p_paddr = (COUNT - i) * 0x4000,
					.p_offset = i * 8,
					.p_filesz = 8,
					.p_memsz = 0x3000 };
	int fd = open(core, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(kd_pwrite_all(fd, &ehdr, sizeof(ehdr), 0), 0);
	assert_int_equal(kd_pwrite_all(fd, phdr, COUNT * sizeof(*phdr), sizeof(ehdr)), 0);
	assert_int_equal(kd_pwrite_all(fd, &shdr, sizeof(shdr), (off_t)ehdr.e_shoff), 0);
	close(fd);
	free(phdr);
	assert_no_error(vmcore_open(core, &vmcore));
	assert_int_equal(vmcore_ram(vmcore)->count, COUNT);
	assert_int_equal(kd_ranges_total(vmcore_contents(vmcore)), COUNT * 8);
	assert_no_error(vmcore_read(vmcore, (uint64_t)COUNT * 0x4000, &word, 8));
	assert_memory_equal(&word, &ehdr, 8);
	assert_code(vmcore_read(vmcore, (uint64_t)COUNT * 0x4000 + 1, &word, 8), KD_ERR_HOLE);
	vmcore_close(vmcore);
}

/* Page tables */

struct opened {
	struct machine machine;
	struct vmcore *vmcore;
	struct vmcoreinfo info;
	struct address_space space;
};

static struct kd_error *reopen(struct opened *opened)
{
	machine_write(&opened->machine, core);
	assert_no_error(vmcore_open(core, &opened->vmcore));
	opened->info.text = vmcore_vmcoreinfo(opened->vmcore, &opened->info.size);
	return address_space_init(&opened->space, opened->vmcore, &opened->info, NULL);
}

static void close_opened(struct opened *opened)
{
	address_space_release(&opened->space);
	vmcore_close(opened->vmcore);
}

static void check_walks(unsigned int levels, uint64_t sme_mask)
{
	uint64_t base = levels == 5 ? UINT64_C(0xff11000000000000) : UINT64_C(0xffff888000000000);
	struct opened opened;
	uint64_t paddr, size;

	machine_init(&opened.machine, levels);
	machine_info(&opened.machine, "NUMBER(sme_mask)=%ld\n", (long)sme_mask);
	machine_map(&opened.machine, base, sme_mask, 1 << 30);
	machine_map(&opened.machine, base + (UINT64_C(1) << 30), UINT64_C(0x600000) | sme_mask, 2 << 20);
	machine_map(&opened.machine, base + (UINT64_C(2) << 30), UINT64_C(0x7000) | sme_mask, 4096);
	machine_map(&opened.machine, UINT64_C(0xfffffffffffff000), 0x9000, 4096);
	strcpy((char *)opened.machine.ram + 0x7ff8, "behind");
	assert_no_error(reopen(&opened));

	assert_no_error(address_space_translate(&opened.space, base + 0x12345678, &paddr, &size));
	assert_int_equal(paddr, 0x12345678);
	assert_int_equal(size, (1 << 30) - 0x12345678);
	assert_no_error(address_space_translate(&opened.space, base + (UINT64_C(1) << 30) + 5, &paddr, &size));
	assert_int_equal(paddr, 0x600005);
	assert_int_equal(size, (2 << 20) - 5);
	assert_no_error(address_space_translate(&opened.space, base + (UINT64_C(2) << 30) + 0xff8, &paddr, &size));
	assert_int_equal(paddr, 0x7ff8);
	assert_int_equal(size, 8);
	assert_no_error(address_space_translate(&opened.space, UINT64_MAX, &paddr, &size));
	assert_int_equal(paddr, 0x9fff);
	/* Not mapped at each of the levels. */
	assert_code(address_space_translate(&opened.space, base + (UINT64_C(2) << 30) + 0x1000, &paddr, &size),
		    KD_ERR_HOLE);
	assert_code(address_space_translate(&opened.space, base + (UINT64_C(3) << 30), &paddr, &size), KD_ERR_HOLE);
	assert_code(address_space_translate(&opened.space, 0, &paddr, &size), KD_ERR_HOLE);
	/* A read that runs off a mapping. */
	char text[16];
	assert_no_error(address_space_read(&opened.space, base + (UINT64_C(2) << 30) + 0xff8, text, 8));
	assert_string_equal(text, "behind");
	assert_code(address_space_read(&opened.space, base + (UINT64_C(2) << 30) + 0xff8, text, 9), KD_ERR_HOLE);
	close_opened(&opened);
	machine_release(&opened.machine);
}

static void test_translate(void **state)
{
	struct dumpfilter_options options = { .no_mmap = true };
	struct machine machine;
	uint64_t paddr;

	machine_init(&machine, 4);
	machine_write(&machine, core);
	assert_no_error(dumpfilter_translate(core, &options, STEXT + 0x1234, &paddr));
	assert_int_equal(paddr, STEXT_PHYS + 0x1234);
	assert_code(dumpfilter_translate(core, &options, 0x1234, &paddr), KD_ERR_HOLE);
	machine_release(&machine);
}

static void test_walk_4_levels(void **state)
{
	check_walks(4, 0);
}

static void test_walk_5_levels(void **state)
{
	check_walks(5, 0);
}

static void test_walk_encrypted(void **state)
{
	check_walks(4, UINT64_C(1) << 47);
}

static void test_phys_base_from_segment(void **state)
{
	struct opened opened;

	machine_init(&opened.machine, 4);
	machine_forget(&opened.machine, "NUMBER(phys_base)");
	assert_no_error(reopen(&opened));
	assert_int_equal(opened.space.paging.image_paddr, 0);
	close_opened(&opened);
	machine_release(&opened.machine);
}

static void test_validation(void **state)
{
	struct opened opened;

	machine_init(&opened.machine, 4);
	machine_info(&opened.machine, "NUMBER(phys_base)=4096\n");
	assert_code(reopen(&opened), KD_ERR_HOLE);
	close_opened(&opened);
	machine_info(&opened.machine, "NUMBER(phys_base)=0\nOSRELEASE=6.2\n");
	assert_code(reopen(&opened), KD_ERR_FORMAT);
	close_opened(&opened);
	machine_info(&opened.machine, "OSRELEASE=6.1.0-test\nPAGESIZE=4097\n");
	assert_code(reopen(&opened), KD_ERR_FORMAT);
	close_opened(&opened);
	machine_info(&opened.machine, "PAGESIZE=4096\n");
	machine_forget(&opened.machine, "SYMBOL(init_top_pgt)");
	assert_code(reopen(&opened), KD_ERR_FORMAT);
	close_opened(&opened);
	machine_release(&opened.machine);
}

/* Page classes: one row is a struct page (and the one behind it) of some kernel. */

#define LAYOUT                                                                                                         \
	"SIZE(page)=64\nOFFSET(page.flags)=0\nOFFSET(page.mapping)=24\nOFFSET(page.private)=40\n"                      \
	"OFFSET(page._mapcount)=48\nLENGTH(zone.free_area)=11\n"
#define FLAGS                                                                                                          \
	"NUMBER(PG_lru)=4\nNUMBER(PG_private)=13\nNUMBER(PG_swapcache)=10\nNUMBER(PG_swapbacked)=19\n"                 \
	"NUMBER(PG_hwpoison)=23\nNUMBER(PG_head_mask)=64\n"

static const char info_6_4[] = LAYOUT FLAGS
	"OFFSET(page.compound_head)=8\nNUMBER(PG_slab)=9\nOFFSET(folio._folio_dtor)=80\n"
	"OFFSET(folio._folio_order)=81\nNUMBER(HUGETLB_PAGE_DTOR)=2\nNUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\n"
	"NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257\n";
static const char info_6_6[] = LAYOUT FLAGS
	"OFFSET(page.compound_head)=8\nNUMBER(PG_slab)=9\nNUMBER(PG_hugetlb)=8\n"
	"NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\nNUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257\n";
static const char info_6_9[] = LAYOUT FLAGS
	"OFFSET(page.compound_head)=8\nNUMBER(PG_slab)=9\nNUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-2049\n"
	"NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\nNUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257\n";
static const char info_6_11[] = LAYOUT FLAGS
	"OFFSET(page.compound_head)=8\nNUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-67108865\n"
	"NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-33554433\nNUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-1073741825\n"
	"NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-536870913\n";
#define TYPES_6_12                                                                                                     \
	"NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-201326592\nNUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376\n"                \
	"NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456\nNUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-251658240\n"
static const char info_6_12[] = LAYOUT FLAGS "OFFSET(page.compound_head)=8\n" TYPES_6_12;
static const char info_7_1[] = LAYOUT FLAGS "OFFSET(page.compound_info)=8\n" TYPES_6_12
					    "NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)=-150994944\n";
/* No rule for slab: anonymous pages cannot be told from it. */
static const char info_no_slab[] = LAYOUT FLAGS "OFFSET(page.compound_head)=8\n";
/* The flag of swap cache means something else on pages that are not swap-backed. */
static const char info_no_swapbacked[] = LAYOUT
	"OFFSET(page.compound_head)=8\nNUMBER(PG_slab)=9\nNUMBER(PG_lru)=4\nNUMBER(PG_private)=13\n"
	"NUMBER(PG_swapcache)=10\n";

#define LRU        (1ull << 4)
#define SLAB       (1ull << 9)
#define SWAPCACHE  (1ull << 10)
#define PRIVATE    (1ull << 13)
#define SWAPBACKED (1ull << 19)
#define HWPOISON   (1ull << 23)
#define HEAD       (1ull << 6)
#define HEAD_6_1   (1ull << 16)
#define PAGE_VADDR UINT64_C(0xffffea0000010000)

struct page_case {
	const char *what;
	const char *info;
	uint64_t pfn;
	uint64_t flags, mapping;
	uint32_t mapcount;
	uint64_t private_data, word; /* word: compound_head */
	struct {
		uint64_t flags, word;
		uint8_t dtor, order; /* to 6.5 */
	} next;
	enum page_class class;
	uint64_t count;
};

#define UNMAPPED UINT32_MAX
#define TAIL_OF  (PAGE_VADDR | 1)

static const struct page_case page_cases[] = {
	{ "kernel page", info_6_1, 512, 0, 0, UNMAPPED, .class = PAGE_KEEP, .count = 1 },
	{ "uninitialised", info_6_1, 512, ~0ull, ~0ull, UNMAPPED, ~0ull, ~0ull, .class = PAGE_KEEP, .count = 1 },
	{ "tail", info_6_1, 512, LRU, 0, UNMAPPED, 0, TAIL_OF, .class = PAGE_KEEP, .count = 1 },
	{ "cache", info_6_1, 512, LRU, 0xffff888000001000, 0, .class = PAGE_CACHE, .count = 1 },
	{ "private cache", info_6_1, 512, LRU | PRIVATE, 0xffff888000001000, 0, .class = PAGE_CACHE_PRIVATE,
	  .count = 1 },
	{ "swap cache", info_6_1, 512, SWAPCACHE | SWAPBACKED, 0x1000, 0, .class = PAGE_CACHE, .count = 1 },
	{ "owner's flag that is not swap cache", info_6_1, 512, SWAPCACHE, 0x1000, 0, .class = PAGE_KEEP, .count = 1 },
	{ "swap cache or not", info_no_swapbacked, 512, SWAPCACHE, 0x1000, 0, .class = PAGE_KEEP, .count = 1 },
	{ "anonymous", info_6_1, 512, LRU | SWAPBACKED, 0xffff888000001001, 0, .class = PAGE_USER, .count = 1 },
	{ "KSM", info_6_1, 512, LRU, 0xffff888000001003, 0, .class = PAGE_USER, .count = 1 },
	{ "movable", info_6_1, 512, 0, 0xffff888000001002, 0, .class = PAGE_KEEP, .count = 1 },
	{ "slab", info_6_1, 512, SLAB, 1, 0, .class = PAGE_KEEP, .count = 1 },
	{ "slab unknown", info_no_slab, 512, SLAB, 1, 0, .class = PAGE_KEEP, .count = 1 },
	{ "page table with odd owner", info_6_1, 512, 0, 1, (uint32_t)-513, .class = PAGE_KEEP, .count = 1 },
	{ "free, order 3", info_6_1, 512, 0, 0, (uint32_t)-129, 3, .class = PAGE_FREE, .count = 8 },
	{ "free, order 10", info_6_1, 1024, 0, 0, (uint32_t)-129, 10, .class = PAGE_FREE, .count = 1024 },
	{ "free, impossible order", info_6_1, 512, 0, 0, (uint32_t)-129, 11, .class = PAGE_KEEP, .count = 1 },
	{ "offline", info_6_1, 512, 0, 0, (uint32_t)-257, .class = PAGE_OFFLINE, .count = 1 },
	{ "THP", info_6_1, 512, HEAD_6_1 | LRU | SWAPBACKED, 1, UNMAPPED, 0, 0, { 0, TAIL_OF, 1, 9 }, PAGE_USER, 512 },
	{ "THP, misaligned", info_6_1, 513, HEAD_6_1 | LRU, 1, UNMAPPED, 0, 0, { 0, TAIL_OF, 1, 9 }, PAGE_USER, 1 },
	{ "impossible order", info_6_1, 0, HEAD_6_1 | LRU, 1, UNMAPPED, 0, 0, { 0, TAIL_OF, 1, 200 }, PAGE_USER, 1 },
	{ "hugetlb", info_6_1, 512, HEAD_6_1, 0, UNMAPPED, 0, 0, { 0, TAIL_OF, 2, 9 }, PAGE_USER, 512 },
	{ "poisoned hugetlb",
	  info_6_1,
	  512,
	  HEAD_6_1 | HWPOISON,
	  0,
	  UNMAPPED,
	  0,
	  0,
	  { 0, TAIL_OF, 2, 9 },
	  PAGE_HWPOISON,
	  512 },
	{ "large folio of a file",
	  info_6_1,
	  16,
	  HEAD_6_1 | LRU,
	  0x1000,
	  UNMAPPED,
	  0,
	  0,
	  { 0, TAIL_OF, 1, 4 },
	  PAGE_CACHE,
	  16 },
	{ "compound of the kernel", info_6_1, 16, HEAD_6_1, 0, UNMAPPED, 0, 0, { 0, TAIL_OF, 1, 2 }, PAGE_KEEP, 4 },
	{ "fake head", info_6_1, 576, HEAD_6_1 | LRU, 1, UNMAPPED, 0, 0, { 0, TAIL_OF + 64, 2, 9 }, PAGE_KEEP, 1 },
	{ "hugetlb", info_6_4, 512, HEAD, 0, UNMAPPED, 0, 0, { 0, TAIL_OF, 2, 9 }, PAGE_USER, 512 },
	{ "other compound", info_6_4, 512, HEAD, 0, UNMAPPED, 0, 0, { 0, TAIL_OF, 1, 9 }, PAGE_KEEP, 512 },
	{ "hugetlb", info_6_6, 512, HEAD, 0, UNMAPPED, 0, 0, { 0x109, TAIL_OF, 0, 0 }, PAGE_USER, 512 },
	{ "THP", info_6_6, 512, HEAD | LRU, 1, UNMAPPED, 0, 0, { 0x209, TAIL_OF, 0, 0 }, PAGE_USER, 512 },
	{ "other compound", info_6_6, 512, HEAD, 0, UNMAPPED, 0, 0, { 0x209, TAIL_OF, 0, 0 }, PAGE_KEEP, 512 },
	{ "hugetlb", info_6_9, 512, HEAD, 0, (uint32_t)-2049, 0, 0, { 9, TAIL_OF, 0, 0 }, PAGE_USER, 512 },
	{ "slab", info_6_9, 512, HEAD | SLAB, 1, UNMAPPED, 0, 0, { 3, TAIL_OF, 0, 0 }, PAGE_KEEP, 8 },
	{ "free", info_6_11, 512, 0, 0, 0xbfffffff, 2, .class = PAGE_FREE, .count = 4 },
	{ "slab", info_6_11, 512, 0, 1, 0xfdffffff, .class = PAGE_KEEP, .count = 1 },
	{ "hugetlb", info_6_11, 512, HEAD, 1, 0xfbffffff, 0, 0, { 9, TAIL_OF, 0, 0 }, PAGE_USER, 512 },
	{ "zsmalloc", info_6_11, 512, 0, 1, 0xfeffffff, .class = PAGE_KEEP, .count = 1 },
	{ "free", info_6_12, 512, 0, 0, 0xf0000000, 2, .class = PAGE_FREE, .count = 4 },
	{ "free, owner's bits used", info_6_12, 512, 0, 0, 0xf0000007, 2, .class = PAGE_FREE, .count = 4 },
	{ "slab", info_6_12, 512, HEAD, 1, 0xf5000000, 0, 0, { 3, TAIL_OF, 0, 0 }, PAGE_KEEP, 8 },
	{ "slab, owner's bits used", info_6_12, 512, 0, 1, 0xf5000123, .class = PAGE_KEEP, .count = 1 },
	{ "page table", info_6_12, 512, 0, 1, 0xf2000000, .class = PAGE_KEEP, .count = 1 },
	{ "offline", info_6_12, 512, 0, 0, 0xf1000000, .class = PAGE_OFFLINE, .count = 1 },
	{ "hugetlb", info_6_12, 512, HEAD, 1, 0xf4000000, 0, 0, { 9, TAIL_OF, 0, 0 }, PAGE_USER, 512 },
	{ "anonymous", info_6_12, 512, LRU | SWAPBACKED, 1, 0, .class = PAGE_USER, .count = 1 },
	{ "tail with a mask", info_7_1, 513, 0, 0, UNMAPPED, 0, 0xffffffffffff8001, .class = PAGE_KEEP, .count = 1 },
	{ "THP, tails with a mask",
	  info_7_1,
	  512,
	  HEAD | LRU,
	  1,
	  UNMAPPED,
	  0,
	  0,
	  { 9, 0xffffffffffff8001, 0, 0 },
	  PAGE_USER,
	  512 },
	{ "unaccepted", info_7_1, 1024, 0, 0, 0xf7000000, .class = PAGE_UNACCEPTED, .count = 1024 },
};

static void test_page_classes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(page_cases); i++) {
		const struct page_case *c = &page_cases[i];
		struct vmcoreinfo info = info_of(c->info);
		uint8_t pages[128] = { 0 };
		struct page_verdict verdict;
		struct page_rules rules;

		memcpy(pages, &c->flags, 8);
		memcpy(pages + 8, &c->word, 8);
		memcpy(pages + 24, &c->mapping, 8);
		memcpy(pages + 40, &c->private_data, 8);
		memcpy(pages + 48, &c->mapcount, 4);
		memcpy(pages + 64, &c->next.flags, 8);
		memcpy(pages + 72, &c->next.word, 8);
		pages[80] = c->next.dtor;
		pages[81] = c->next.order;
		assert_no_error(page_rules_init(&rules, &info, NULL));
		verdict = page_classify(&rules, c->pfn, PAGE_VADDR, pages, pages + 64);
		if (verdict.class != c->class || verdict.count != c->count)
			fail_msg("row %zu, %s: %s for %lu pages, expected %s for %lu", i, c->what,
				 page_class_name(verdict.class), verdict.count, page_class_name(c->class), c->count);
	}
}

static void test_levels(void **state)
{
	static const struct {
		enum page_class class;
		unsigned int levels; /* any of these bits drops it */
	} rows[] = {
		{ PAGE_KEEP, 0 }, { PAGE_ZERO, 0 },  { PAGE_CACHE, 2 | 4 },   { PAGE_CACHE_PRIVATE, 4 },
		{ PAGE_USER, 8 }, { PAGE_FREE, 16 }, { PAGE_UNACCEPTED, 16 },
	};

	for (unsigned int level = 0; level < 32; level++) {
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			assert_int_equal(page_class_dropped(rows[i].class, level), !!(rows[i].levels & level));
		assert_true(page_class_dropped(PAGE_HWPOISON, level));
		assert_true(page_class_dropped(PAGE_OFFLINE, level));
	}
}

/* Dumps, read back */

struct result {
	char *file;
	size_t size;
	struct kdump_header header;
	struct kdump_sub_header sub;
	const uint8_t *bitmap1, *bitmap2;
	const char *descs;
};

static void read_result(struct result *result)
{
	uint64_t bitmaps;

	assert_no_error(kd_read_file(dump, 256 << 20, &result->file, &result->size));
	memcpy(&result->header, result->file, sizeof(result->header));
	memcpy(&result->sub, result->file + 4096, sizeof(result->sub));
	assert_memory_equal(result->header.signature, "KDUMP   ", 8);
	assert_int_equal(result->header.block_size, 4096);
	bitmaps = (1 + result->header.sub_header_blocks) * UINT64_C(4096);
	result->bitmap1 = (const uint8_t *)result->file + bitmaps;
	result->bitmap2 = result->bitmap1 + result->header.bitmap_blocks / 2 * 4096;
	result->descs = result->file + bitmaps + result->header.bitmap_blocks * UINT64_C(4096);
}

static bool has(const uint8_t *bitmap, uint64_t pfn)
{
	return bitmap[pfn / 8] >> (pfn % 8) & 1;
}

static struct page_desc desc_of(const struct result *result, uint64_t pfn)
{
	struct page_desc desc;
	uint64_t rank = 0;

	for (uint64_t i = 0; i < pfn; i++)
		rank += has(result->bitmap2, i);
	memcpy(&desc, result->descs + rank * sizeof(desc), sizeof(desc));
	return desc;
}

static void expand(const struct result *result, uint64_t pfn, uint8_t *page)
{
	struct page_desc desc = desc_of(result, pfn);
	uLongf size = 4096;

	assert_true(has(result->bitmap2, pfn));
	assert_true(desc.offset && desc.offset + desc.size <= result->size && desc.size <= 4096);
	if (desc.flags == 0) {
		assert_int_equal(desc.size, 4096);
		memcpy(page, result->file + desc.offset, 4096);
	} else {
		assert_int_equal(desc.flags, 1);
		assert_int_equal(uncompress(page, &size, (const uint8_t *)result->file + desc.offset, desc.size), Z_OK);
		assert_int_equal(size, 4096);
	}
}

/* Pages of every class, a poisoned tail among them. */
static void populate(struct machine *machine)
{
	static const struct {
		uint64_t pfn, flags, mapping;
		uint32_t mapcount;
		uint64_t private_data;
	} pages[] = {
		{ 100, LRU, 0x1000, 0, 0 },
		{ 101, LRU | PRIVATE, 0x1000, 0, 0 },
		{ 102, LRU | SWAPBACKED, 0x1001, 0, 0 },
		{ 128, 0, 0, (uint32_t)-129, 4 },
		{ 200, HWPOISON, 0, UNMAPPED, 0 },
		{ 201, 0, 0, (uint32_t)-257, 0 },
		{ 512, HEAD_6_1 | LRU, 1, UNMAPPED, 0 },
		{ 600, HWPOISON, 0, UNMAPPED, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		uint64_t page = machine_page(pages[i].pfn);

		machine_put(machine, page, pages[i].flags, 8);
		machine_put(machine, page + 24, pages[i].mapping, 8);
		machine_put(machine, page + 40, pages[i].private_data, 8);
		machine_put(machine, page + 48, pages[i].mapcount, 4);
	}
	for (uint64_t pfn = 513; pfn < 1024; pfn++)
		machine_put(machine, machine_page(pfn) + 8, (VMEMMAP + 512 * 64) | 1, 8);
	machine->ram[machine_page(513) + 17] = 9;
	/* Something to compress, and something that cannot be. */
	for (uint64_t i = 0; i < 4096; i++) {
		machine->ram[50 * 4096 + i] = (uint8_t)(i / 100);
		machine->ram[51 * 4096 + i] = (uint8_t)((i * 2654435761u) >> 13 ^ (i * i * 40503u) >> 7);
	}
}

struct marks {
	struct pfn_bitmap kept, boot, slab, late;
	struct page_filter filter;
};

static void marks_init(struct marks *marks, unsigned int level, bool poison_only)
{
	struct pfn_bitmap *bitmaps[] = { &marks->kept, &marks->boot, &marks->slab, &marks->late };

	for (size_t i = 0; i < ARRAY_SIZE(bitmaps); i++)
		assert_true(pfn_bitmap_init(bitmaps[i], RAM_PAGES));
	pfn_bitmap_set(&marks->kept, 0, RAM_PAGES);
	marks->filter = (struct page_filter){ level,        poison_only,  &marks->kept, &marks->boot,
					      &marks->slab, &marks->late, { 0 },        { 0 } };
}

static void assert_same_bits(struct pfn_bitmap *a, struct pfn_bitmap *b)
{
	for (uint64_t word = 0; word < RAM_PAGES / 64; word++)
		assert_int_equal(pfn_bitmap_word(a, word), pfn_bitmap_word(b, word));
	pfn_bitmap_release(a);
	pfn_bitmap_release(b);
}

/* Whatever the parts and however many the threads, it is as if there were one: a huge page and a block of free ones
 * reach over several parts, one of their pages is poisoned. */
static void test_page_scan(void **state)
{
	static const unsigned int levels[] = { 0, 1, 8, 31 };
	struct address_space space;
	struct vmcore *vmcore;
	struct machine machine;
	struct vmcoreinfo info;
	struct page_rules rules;

	machine_init(&machine, 4);
	populate(&machine);
	machine_put(&machine, machine_page(2048) + 48, (uint32_t)-129, 4);
	machine_put(&machine, machine_page(2048) + 40, 10, 8);
	machine_put(&machine, machine_page(2500), HWPOISON, 8);
	for (uint64_t pfn = 130; pfn < 1024 && pfn < 192; pfn++)
		machine_put(&machine, machine_page(pfn), 1 << 9, 8); /* slab */
	machine_write(&machine, core);
	assert_no_error(vmcore_open(core, &vmcore));
	info.text = vmcore_vmcoreinfo(vmcore, &info.size);
	assert_no_error(address_space_init(&space, vmcore, &info, NULL));
	assert_no_error(page_rules_init(&rules, &info, NULL));
	for (unsigned int i = 0; i < 4 * ARRAY_SIZE(levels) * 2; i++) {
		unsigned int threads = i % 4 + 1, level = levels[i / 4 % ARRAY_SIZE(levels)];
		uint64_t part = i / 16 ? 64 : 320;
		struct mem_map alone, shared;
		struct marks one, many;

		marks_init(&one, level, level == 1);
		marks_init(&many, level, level == 1);
		assert_no_error(mem_map_init(&alone, &space, RAM_PAGES));
		assert_no_error(mem_map_init(&shared, &space, RAM_PAGES));
		page_filter_run(&one.filter, &rules, &alone);
		page_scan(&many.filter, &rules, &shared, part, threads);
		assert_memory_equal(one.filter.pages, many.filter.pages, sizeof(one.filter.pages));
		assert_int_equal(kd_ranges_total(&alone.frames), kd_ranges_total(&shared.frames));
		assert_int_equal(one.filter.pages[PAGE_HWPOISON], 3);
		assert_int_equal(one.filter.pages[PAGE_FREE], level == 1 ? 0 : 16 + 1023);
		assert_same_bits(&one.kept, &many.kept);
		assert_same_bits(&one.boot, &many.boot);
		assert_same_bits(&one.slab, &many.slab);
		assert_same_bits(&one.late, &many.late);
		mem_map_release(&alone);
		mem_map_release(&shared);
	}
	address_space_release(&space);
	vmcore_close(vmcore);
	machine_release(&machine);
}

/* A section without struct pages in front: what is found behind it is not said of its pages, whoever looks where. */
static void test_page_scan_hole(void **state)
{
	const uint64_t section = 32768, first_free = section + 128;
	struct address_space space;
	struct vmcore *vmcore;
	struct machine machine;
	struct vmcoreinfo info;
	struct page_rules rules;

	machine_init(&machine, 4);
	populate(&machine);
	machine_put(&machine, SECTION_0 - STEXT + STEXT_PHYS, 0, 8);
	machine_put(&machine, SECTION_0 - STEXT + STEXT_PHYS + 32, VMEMMAP | 0x3f, 8);
	machine_map(&machine, VMEMMAP + section * 64, MEM_MAP, 2 << 20);
	machine_write(&machine, core);
	assert_no_error(vmcore_open(core, &vmcore));
	info.text = vmcore_vmcoreinfo(vmcore, &info.size);
	assert_no_error(address_space_init(&space, vmcore, &info, NULL));
	assert_no_error(page_rules_init(&rules, &info, NULL));
	for (unsigned int threads = 1; threads <= 4; threads++) {
		struct pfn_bitmap kept;
		struct page_filter filter = { .level = 16, .kept = &kept };
		struct mem_map map;

		assert_true(pfn_bitmap_init(&kept, first_free + 16));
		pfn_bitmap_set(&kept, 0, first_free + 16);
		assert_no_error(mem_map_init(&map, &space, first_free + 16));
		page_scan(&filter, &rules, &map, 4096, threads);
		assert_int_equal(filter.pages[PAGE_FREE], 16);
		assert_int_equal(pfn_bitmap_count(&kept, 0, section), section);
		assert_int_equal(pfn_bitmap_count(&kept, first_free, first_free + 16), 0);
		/* The first part alone: it has none of them. */
		filter = (struct page_filter){ .level = 16, .kept = &kept };
		pfn_bitmap_move(&kept, 0, 4096);
		pfn_bitmap_set(&kept, 0, 4096);
		page_filter_run(&filter, &rules, &map);
		assert_int_equal(pfn_bitmap_count(&kept, 0, 4096), 4096);
		assert_int_equal(filter.run.end, 0);
		pfn_bitmap_release(&kept);
		mem_map_release(&map);
	}
	address_space_release(&space);
	vmcore_close(vmcore);
	machine_release(&machine);
}

static uint64_t excluded(const struct result *result)
{
	uint64_t count = 0;

	for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn++)
		count += !has(result->bitmap2, pfn);
	return count;
}

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
	populate(&machine);
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
	populate(&machine);
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
	populate(&machine);
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

/* Every page is the same, whoever wrote it and whether it shares with another. */
static void test_threads(void **state)
{
	struct dumpfilter_options options = { .level = 0, .codec = &codec_zlib, .threads = 4 };
	struct dumpfilter_report report;
	uint8_t page[4096];
	struct machine machine;
	struct result result;

	machine_init(&machine, 4);
	populate(&machine);
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

static void test_default_threads(void **state)
{
	unsigned int cpu = (unsigned int)sched_getcpu();
	cpu_set_t all, one;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	assert_in_range(pipeline_default_threads(4096), 1, CPU_COUNT(&all));
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(pipeline_default_threads(4096), 1);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void test_page_share(void **state)
{
	static uint64_t page[512], other[512];
	struct page_place place = { 4096, 100, 1 }, found = { 0 };

	_cleanup_(page_share_destroy) struct page_share *share = page_share_create(sizeof(page), PAGE_SHARE_BYTES_MIN);
	assert_non_null(share);
	page[0] = 1;
	struct page_hash hash = page_share_hash(share, page);
	assert_false(page_share_find(share, hash, &found));
	page_share_add(share, hash, &place);
	assert_true(page_share_find(share, page_share_hash(share, page), &found));
	assert_int_equal(found.offset, 4096);
	/* Any bit, and words that have changed places, make another page of it. */
	for (size_t bit = 0; bit < sizeof(page) * 8; bit += 7) {
		memcpy(other, page, sizeof(page));
		other[bit / 64] ^= UINT64_C(1) << bit % 64;
		assert_false(page_hash_equal(page_share_hash(share, other), hash));
	}
	for (size_t i = 1; i < 512; i++) {
		memset(other, 0, sizeof(other));
		other[i] = 1;
		assert_false(page_hash_equal(page_share_hash(share, other), hash));
	}
	/* What it may have, it takes for a dump with many pages only. */
	assert_int_equal(page_share_bytes(1000, PAGE_SHARE_BYTES_MAX), PAGE_SHARE_BYTES_MIN);
	assert_int_equal(page_share_bytes(1 << 18, PAGE_SHARE_BYTES_MAX), 2 << 20);
	assert_int_equal(page_share_bytes(1 << 28, PAGE_SHARE_BYTES_MAX), PAGE_SHARE_BYTES_MAX);
	assert_int_equal(page_share_bytes(1 << 28, PAGE_SHARE_BYTES_MIN), PAGE_SHARE_BYTES_MIN);
}

/* "It may have so many bytes" is met to the byte; what is there is a dump that says it is not whole. */
static void test_size_limit(void **state)
{
	static const uint64_t limits[] = { 100, 4096, 64 << 10, (1 << 20) + 1, 6 << 20, (6 << 20) + 4096 };
	struct dumpfilter_report report;
	struct machine machine;
	struct result result;
	struct stat st;

	machine_init(&machine, 4);
	populate(&machine);
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

static void test_estimate(void **state)
{
	struct dumpfilter_options options = { .level = 31, .codec = &codec_zlib, .threads = 1 };
	struct dumpfilter_estimate estimate, more;
	struct dumpfilter_report report;
	struct machine machine;

	machine_init(&machine, 4);
	populate(&machine);
	for (uint64_t pfn = 2048; pfn < RAM_PAGES; pfn++) /* none alike, that nothing be shared */
		if (pfn < STEXT_PHYS / 4096 || pfn > STEXT_PHYS / 4096 + 512)
			machine_put(&machine, pfn * 4096 + 4000, pfn << 20 | 1, 8);
	machine_write(&machine, core);
	assert_no_error(dumpfilter_estimate(core, &options, &estimate));
	assert_int_equal(access(dump, F_OK), -1);
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_int_equal(estimate.pages, RAM_PAGES - 533);
	/* So few pages are all in the sample; but which ones of the table's slots are wanted twice is a matter of
	 * chance. */
	assert_in_range(estimate.size, report.bytes_written * 995 / 1000, report.bytes_written * 1005 / 1000);
	options.threads = 5;
	assert_no_error(dumpfilter_estimate(core, &options, &more));
	assert_in_range(more.memory, estimate.memory, UINT64_C(1) << 32);
	unlink(dump);
	machine_release(&machine);
}

/* Pages that compress more or less well, zeros, and every third one equal to one far before it. */
static void populate_varied(struct machine *machine)
{
	uint32_t value = 1;

	for (uint64_t pfn = 1200; pfn < RAM_PAGES; pfn++) {
		uint64_t first = pfn % 37 * 100;

		if (pfn == 4000)
			pfn = 4700; /* behind the image and the page tables */
		for (uint64_t i = first; i < 4096; i++)
			machine->ram[pfn * 4096 + i] = (uint8_t)((value = value * 1664525 + 1013904223) >> 24);
		if (pfn % 3 == 0)
			memcpy(machine->ram + pfn * 4096, machine->ram + (pfn - 900) * 4096, 4096);
		else if (pfn % 7 == 0)
			memset(machine->ram + pfn * 4096, 0, 4096);
	}
}

/* With @window page frames at a time. */
static struct estimate run_estimate(const struct vmcore *vmcore, struct estimate estimate, uint64_t window)
{
	_cleanup_(page_share_destroy) struct page_share *share = page_share_create(4096, PAGE_SHARE_BYTES_MIN);
	_cleanup_(pfn_bitmap_release) struct pfn_bitmap kept = { 0 };
	struct pipeline pipeline = { .vmcore = vmcore,
				     .page_size = 4096,
				     .kept = &kept,
				     .codec = &codec_zlib,
				     .threads = 1,
				     .share_zero_pages = true,
				     .share = share };

	assert_non_null(share);
	assert_true(pfn_bitmap_init(&kept, window));
	for (unsigned int i = 1; i < PIPELINE_PASSES; i++)
		pipeline.pass[i] = &kept;
	for (uint64_t start = 0; start < RAM_PAGES; start += window) {
		pfn_bitmap_move(&kept, start, start + window);
		pfn_bitmap_set(&kept, start, start + window);
		assert_no_error(estimate_run(&estimate, &pipeline, &kept));
	}
	return estimate;
}

/* Few pages are compressed, and of a large dump few are read; the result is about the same. */
static void test_estimate_sample(void **state)
{
	struct estimate plan, exact, sampled, stretches;
	_cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
	struct machine machine;
	uint64_t size;

	machine_init(&machine, 4);
	populate_varied(&machine);
	machine_write(&machine, core);
	assert_no_error(vmcore_open(core, &vmcore));

	estimate_init(&plan, RAM_PAGES, 4096);
	exact = run_estimate(vmcore, plan, RAM_PAGES);
	size = estimate_size(&exact);
	assert_int_equal(exact.read, RAM_PAGES);
	assert_int_equal(exact.count, exact.stored);
	assert_in_range(exact.stored, 2000, 3000);
	assert_int_equal(size, exact.sum);

	exact = run_estimate(vmcore, plan, RAM_PAGES / 4);
	assert_int_equal(exact.read, RAM_PAGES);
	assert_int_equal(exact.count, exact.stored);
	assert_in_range(estimate_size(&exact), size * 99 / 100, size * 101 / 100);

	plan.sample = 8;
	sampled = run_estimate(vmcore, plan, RAM_PAGES);
	assert_int_equal(sampled.read, RAM_PAGES);
	assert_in_range(sampled.stored, exact.stored - 20, exact.stored + 20);
	assert_in_range(sampled.count, sampled.stored / 8, sampled.stored / 8 + 1);
	assert_in_range(estimate_size(&sampled), size * 98 / 100, size * 110 / 100);

	plan.sample = 2;
	plan.stretch = 512;
	plan.stride = 3;
	stretches = run_estimate(vmcore, plan, RAM_PAGES);
	assert_in_range(stretches.read, RAM_PAGES / 3, RAM_PAGES / 3 + 512);
	assert_int_equal(stretches.passed, RAM_PAGES);
	/* Their equals are further away than a stretch is long. */
	assert_in_range(estimate_size(&stretches), size, size * 17 / 10);

	estimate_init(&plan, UINT64_C(1) << 28, 4096); /* 1 TiB */
	assert_int_equal(plan.stride, 64);
	assert_int_equal(plan.stretch, 1 << 18);
	machine_release(&machine);
}

/* Reads of these bytes of any file fail, as on a bad disk. */
static struct {
	uint64_t start, end;
} bad_bytes;

/* In place of the C library's, for the program's own code too. */
ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
	if ((uint64_t)offset < bad_bytes.end && (uint64_t)offset + size > bad_bytes.start) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, buf, size, offset);
}

/* What cannot be read is left out and counted, to the page; all else is there. */
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
	populate(&machine);
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

/* The first is the lowest, whoever meets it when: in passes over all, in cycles, by several threads. */
static void test_first_unreadable(void **state)
{
	struct dumpfilter_options options = { .level = 0 };
	struct dumpfilter_report report;
	struct machine machine;

	machine_init(&machine, 4);
	populate(&machine);
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

/* Rules that do not fit, a mem_map that is not there: the dump has everything, but never the poisoned frame. */
static void test_unfiltered(void **state)
{
	struct dumpfilter_options options = { .level = 31 };
	struct dumpfilter_report report;
	struct machine machine;
	struct result result;

	machine_init(&machine, 4);
	populate(&machine);
	/* The frame of the top page table seems to be free. */
	machine_put(&machine, machine_page((ROOT_TABLE - STEXT + STEXT_PHYS) / 4096) + 48, (uint32_t)-129, 4);
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

/* Where the mem_map is not mapped, pages are kept. */
/* VMCOREINFO without one of its lines: never is a page left out that is in the dump with it. */
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
	populate(&machine);
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

static void test_mem_map_hole(void **state)
{
	struct dumpfilter_options options = { .level = 31 };
	struct dumpfilter_report report;
	struct machine machine;

	machine_init(&machine, 4);
	populate(&machine);
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

/* A vmcore that was cut off: what it has not is left out. */
static void test_truncated_input(void **state)
{
	struct dumpfilter_options options = { .level = 31 };
	struct dumpfilter_report report;
	const uint64_t huge = UINT64_C(1) << 38;
	struct machine machine;

	machine_init(&machine, 4);
	populate(&machine);
	machine_write(&machine, core);
	assert_int_equal(truncate(core, 0x4000 + (20 << 20)), 0);
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_int_equal(report.unreadable, 1024);
	assert_int_equal(report.first_unreadable.paddr, 20 << 20);
	assert_string_equal(report.first_unreadable.text, "the vmcore is truncated");
	assert_int_equal(report.pages_written + report.unreadable, RAM_PAGES - 533);
	unlink(dump);
	/* What is not there is not tried page by page. */
	patch(core, 64 + 2 * 56 + offsetof(Elf64_Phdr, p_filesz), &huge, sizeof(huge));
	patch(core, 64 + 2 * 56 + offsetof(Elf64_Phdr, p_memsz), &huge, sizeof(huge));
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_int_equal(report.unreadable, huge / 4096 - (20 << 8));
	assert_int_equal(report.pages_written, RAM_PAGES - 533 - 1024);
	unlink(dump);
	machine_release(&machine);
}

/* Writing stops somewhere: what is there is a dump, says that it is not whole, and has what matters most. */
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
	populate(&machine);
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

/* No single wrong byte in headers, notes or tables may do more than make it fail. */
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
	populate(&machine);
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

/* An image that is said to have a TiB is not looked through page by page. */
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
	assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
	unlink(dump);
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

/* The log. */

static struct kd_error *read_log_with(const struct machine *machine, bool since_clear, char *text, size_t size)
{
	struct dumpfilter_options options = { .since_clear = since_clear };
	FILE *out = fmemopen(text, size, "w");
	struct kd_error *err;

	assert_non_null(out);
	memset(text, 0, size);
	machine_write(machine, core);
	err = dumpfilter_dmesg_with(core, out, &options);
	fclose(out);
	return err;
}

static struct kd_error *read_log(const struct machine *machine, char *text, size_t size)
{
	return read_log_with(machine, false, text, size);
}

static struct kd_error *read_log_since_clear(const struct machine *machine, char *text, size_t size)
{
	return read_log_with(machine, true, text, size);
}

static void test_log(void **state)
{
	uint64_t start = UINT64_MAX - 127; /* 128 bytes before positions wrap */
	struct machine machine;
	char text[4096];

	machine_init_log(&machine);
	/* The log needs no mem_map. */
	machine_forget(&machine, "SYMBOL(mem_section)");
	machine_add_record(&machine, 0, 2, start, start + 32, "first");
	machine_add_record(&machine, 1, 1, start + 32, start + 64, "two\nlines \t\x1b\xc3");
	machine_add_record(&machine, 2, 0, start + 64, start + 80, "reserved");
	machine_add_record(&machine, 3, 3, start + 80, start + 96, "reusable");
	machine_add_record(&machine, 4, 2, 3, 3, "");                                                 /* no text */
	machine_add_record(&machine, 5, 2, start + 96, start + 128 + 40, "at the start of the ring"); /* wraps */
	machine_add_record(&machine, 6, 2, 40, 56, "cut");
	machine_put(&machine, PHYS(LOG_INFOS + (LOG_TAIL_ID + 6) % 8 * 88 + 16), 200, 2); /* longer than its block */
	assert_no_error(read_log(&machine, text, sizeof(text)));
	assert_memory_equal(text,
			    "[    0.000000] first\n"
			    "[    1.000001] two\n"
			    "               lines \t\\x1b\\xc3\n"
			    "[    4.000004] \n"
			    "[    5.000005] at the start of the ring\n"
			    "[    6.000006] cut\\x00\\x00\\x00\\x00\\x00\n",
			    166);

	/* What came after the fifth, of a counter that is odd and hence has the second half. */
	machine_info(&machine,
		     "SYMBOL(clear_seq)=%lx\nOFFSET(printk_info.seq)=0\nSIZE(latched_seq)=24\n"
		     "OFFSET(latched_seq.val)=8\n",
		     PRB + 0x40);
	for (uint64_t i = 0; i < 7; i++)
		machine_put(&machine, PHYS(LOG_INFOS + (LOG_TAIL_ID + i) % 8 * 88), 100 + i, 8);
	machine_put(&machine, PHYS(PRB + 0x40), 3, 4);
	machine_put(&machine, PHYS(PRB + 0x48), 101, 8);
	machine_put(&machine, PHYS(PRB + 0x50), 105, 8);
	assert_no_error(read_log_since_clear(&machine, text, sizeof(text)));
	assert_memory_equal(text, "[    5.000005] at the start of the ring\n[    6.000006] cut", 58);
	machine_put(&machine, PHYS(PRB + 0x40), 4, 4);
	assert_no_error(read_log_since_clear(&machine, text, sizeof(text)));
	assert_memory_equal(text, "[    1.000001] two\n", 19);

	/* A block that belongs to another record by now. */
	machine_add_record(&machine, 7, 2, 56, 80, "lost");
	machine_put(&machine, PHYS(LOG_TEXT + 56), 12345, 8);
	assert_no_error(read_log(&machine, text, sizeof(text)));
	assert_non_null(strstr(text, "[    7.000007] \n"));

	/* A head that is never reached: every slot is looked at once. */
	machine_put(&machine, PHYS(LOG_RING + 24), 0x777, 8);
	assert_no_error(read_log(&machine, text, sizeof(text)));
	assert_non_null(strstr(text, "[    7.000007] \n"));

	/* Sizes that no kernel has, and those that are more than the memory. */
	machine_put(&machine, PHYS(LOG_RING), 40, 4);
	assert_code(read_log(&machine, text, sizeof(text)), KD_ERR_FORMAT);
	machine_put(&machine, PHYS(LOG_RING), 30, 4);
	assert_code(read_log(&machine, text, sizeof(text)), KD_ERR_FORMAT);
	machine_put(&machine, PHYS(LOG_RING), 3, 4);
	machine_put(&machine, PHYS(LOG_RING + 64), 30, 4);
	assert_code(read_log(&machine, text, sizeof(text)), KD_ERR_FORMAT);
	machine_put(&machine, PHYS(LOG_RING + 64), 8, 4);
	machine_put(&machine, PHYS(LOG_RING), 3, 4);
	machine_put(&machine, PHYS(LOG_RING + 72), 0x1000, 8);
	assert_code(read_log(&machine, text, sizeof(text)), KD_ERR_HOLE);
	machine_forget(&machine, "SYMBOL(prb)");
	assert_code(read_log(&machine, text, sizeof(text)), KD_ERR_FORMAT);
	machine_release(&machine);
}

/* Records whose blocks overlap, so that together they have more text than the ring. */
static void test_log_too_much_text(void **state)
{
	struct machine machine;
	char text[4096];

	machine_init_log(&machine);
	for (unsigned int i = 0; i < 8; i++)
		machine_add_record(&machine, i, 2, i * 32, i * 32 + 32, "");
	for (unsigned int i = 0; i < 8; i++)
		machine_put(&machine, PHYS(LOG_INFOS + i * 88 + 16), 24, 2);
	assert_no_error(read_log(&machine, text, sizeof(text)));
	for (unsigned int i = 0; i < 8; i++)
		machine_put(&machine, PHYS(LOG_INFOS + i * 88 + 16), 48, 2);
	for (unsigned int i = 0; i < 8; i++)
		machine_put(&machine, PHYS(LOG_DESCS + (LOG_TAIL_ID + i) % 8 * 24 + 16), i * 32 + 64, 8);
	assert_code(read_log(&machine, text, sizeof(text)), KD_ERR_FORMAT);
	machine_release(&machine);
}

/* What --mem-usage says of the machine that it runs on, whose /proc/kcore has mappings beside memory. */
static void test_mem_usage(void **state)
{
	static const uint64_t nowhere = UINT64_MAX;
	struct dumpfilter_options options = { .level = 31 };
	struct dumpfilter_report report;
	struct machine machine;
	Elf64_Ehdr ehdr;
	char text[4096];

	machine_init(&machine, 4);
	machine_put(&machine, machine_page(100), 1 << 4, 8);
	machine_put(&machine, machine_page(2048) + 48, (uint32_t)-129, 4);
	machine_put(&machine, machine_page(2048) + 40, 10, 8);
	machine_write(&machine, core);
	/* One more PT_LOAD, behind the other two. */
	kd_elf64_core_header(&ehdr, EM_X86_64, 4);
	patch(core, 0, &ehdr, sizeof(ehdr));
	Elf64_Phdr phdr = { .p_type = PT_LOAD, .p_paddr = nowhere, .p_memsz = 1 << 30, .p_filesz = 1 << 30 };
	patch(core, sizeof(ehdr) + 3 * sizeof(phdr), &phdr, sizeof(phdr));
	assert_no_error(dumpfilter_census(core, &options, &report));
	assert_false(report.unfiltered);
	assert_int_equal(report.pages[PAGE_CACHE], 1);
	assert_int_equal(report.pages[PAGE_FREE], 1024);
	assert_int_equal(report.pages[PAGE_KEEP], RAM_PAGES - 1025);
	for (enum mem_usage_style style = MEM_USAGE_TABLE; style <= MEM_USAGE_JSON; style++) {
		FILE *out = fmemopen(memset(text, 0, sizeof(text)), sizeof(text), "w");

		assert_non_null(out);
		mem_usage_print(out, &report, style);
		fclose(out);
		if (style == MEM_USAGE_JSON) {
			assert_non_null(strstr(text, "\"total\": 6144"));
			assert_non_null(strstr(text, "\"free\": 1024"));
			continue;
		}
		assert_non_null(strstr(text, "free                  1024        4.0  16.7%  16  "));
		assert_non_null(strstr(text, "all                   6144       24.0\n"));
		/* 7 of 40: 16.7 percent. */
		assert_int_equal(strstr(text, "16  ███████ ") != NULL, style == MEM_USAGE_CHART);
	}
	machine_release(&machine);
}

/* Before 5.10: records of 16 bytes and their text, in 256 bytes. */
static void put_record(struct machine *machine, uint64_t offset, uint64_t length, unsigned int seconds,
		       const char *text)
{
	machine_put(machine, PHYS(LOG_TEXT + offset), UINT64_C(1000000000) * seconds, 8);
	machine_put(machine, PHYS(LOG_TEXT + offset + 8), length, 2);
	machine_put(machine, PHYS(LOG_TEXT + offset + 10), strlen(text), 2);
	memcpy(machine->ram + PHYS(LOG_TEXT + offset + 16), text, strlen(text));
}

static void test_old_log(void **state)
{
	static const struct {
		uint64_t at, value;
		size_t size;
		const char *text;
	} wrong[] = {
		{ PRB + 16, 300, 4, "a record at 300 of 256 bytes" }, /* the first one's index */
		{ PRB + 24, 250, 4, "its records do not end" },       /* the one behind the last is never met */
		{ LOG_TEXT + 32 + 8, 15, 2, "the record at 32 has 15 bytes" },
		{ LOG_TEXT + 32 + 8, 250, 2, "the record at 32 has 250 bytes" },
		{ LOG_TEXT + 32 + 10, 17, 2, "17 of them text" },
		{ LOG_TEXT + 0 + 8, 0, 2, "a log without records" },
		{ PRB + 8, 8, 4, "a record at 160 of 8 bytes" },
	};
	struct machine machine;
	char text[4096];

	machine_init(&machine, 4);
	machine_info(&machine,
		     "SYMBOL(log_buf)=%lx\nSYMBOL(log_buf_len)=%lx\nSYMBOL(log_first_idx)=%lx\n"
		     "SYMBOL(log_next_idx)=%lx\nSIZE(printk_log)=16\nOFFSET(printk_log.ts_nsec)=0\n"
		     "OFFSET(printk_log.len)=8\nOFFSET(printk_log.text_len)=10\n",
		     PRB, PRB + 8, PRB + 16, PRB + 24);
	for (size_t i = 0; i <= ARRAY_SIZE(wrong); i++) {
		machine_put(&machine, PHYS(PRB), LOG_TEXT, 8);
		machine_put(&machine, PHYS(PRB + 8), 256, 4);
		machine_put(&machine, PHYS(PRB + 16), 160, 4);
		machine_put(&machine, PHYS(PRB + 24), 64, 4);
		put_record(&machine, 160, 40, 1, "the oldest");
		put_record(&machine, 200, 24, 2, "");
		put_record(&machine, 224, 0, 0, ""); /* the next is at the start */
		put_record(&machine, 0, 32, 3, "two\nlines\x1b");
		put_record(&machine, 32, 32, 4, "sixteen letters!");
		if (i == 0) {
			assert_no_error(read_log(&machine, text, sizeof(text)));
			assert_string_equal(text, "[    1.000000] the oldest\n"
						  "[    2.000000] \n"
						  "[    3.000000] two\n"
						  "               lines\\x1b\n"
						  "[    4.000000] sixteen letters!\n");
			continue;
		}
		machine_put(&machine, PHYS(wrong[i - 1].at), wrong[i - 1].value, wrong[i - 1].size);
		assert_error(read_log(&machine, text, sizeof(text)), KD_ERR_FORMAT, wrong[i - 1].text);
	}
	/* Empty. */
	machine_put(&machine, PHYS(PRB + 8), 256, 4);
	machine_put(&machine, PHYS(PRB + 24), 160, 4);
	assert_no_error(read_log(&machine, text, sizeof(text)));
	assert_string_equal(text, "");
	assert_error(read_log_since_clear(&machine, text, sizeof(text)), KD_ERR_UNSUPPORTED, "before 5.10");
	machine_forget(&machine, "OFFSET(printk_log.len)");
	assert_error(read_log(&machine, text, sizeof(text)), KD_ERR_FORMAT, "no printk_log.len in VMCOREINFO");
	machine_release(&machine);
}

/* The command line */

static struct kd_error *parse(struct dumpfilter_command *command, const char *line)
{
	static char buf[256];
	char *argv[24] = { NULL };
	int argc = 0;

	snprintf(buf, sizeof(buf), "dumpfilter %s", line);
	for (char *word = strtok(buf, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	return dumpfilter_parse_command(argc, argv, command);
}

static void test_command(void **state)
{
	/* clang-format off */
	static const char *const refused[] = {
		"-E -l a b", "-F a b", "-x", "-g", "-d", "-d 32 a b", "-d 1, a b", "-c -l", "--split a b", "--what a b",
		"-q", "a b c", "-d x a b", "--num-threads", "--message-level 32", "-E -F a", "-E --split a b c",
		"-F -d 1,31 a", "--split -d 1,31 a b c", "--reassemble a b", "--reassemble -E a b c", "-R a b c",
		"--dry-run --dump-dmesg a b", "-R --dump-dmesg a b", "--dry-run --reassemble a b c", "-F --split a b c",
		"--vtop x a", "-c --fast", "--uncompressed -l", "--small --uncompressed", "--partial-dmesg a b",
		"--json a b", "--mem-usage a b",
	};
	/* clang-format on */
	struct dumpfilter_command command;

	assert_no_error(parse(&command, "-l -d 31"));
	assert_int_equal(command.options.level, 31);
	assert_int_equal(command.options.codec->option, 'l');
	assert_null(command.input);
	assert_null(command.output);
	assert_int_equal(command.message_level, 7);
	assert_no_error(parse(&command, "-cd17,31,0 /proc/vmcore -f out --message-level 31 -D -D --num-threads 4"));
	assert_int_equal(command.options.level, 17);
	assert_int_equal(command.options.fallback_count, 2);
	assert_int_equal(command.options.fallback_level[0], 31);
	assert_int_equal(command.options.fallback_level[1], 0);
	assert_string_equal(command.input, "/proc/vmcore");
	assert_string_equal(command.output, "out");
	assert_true(command.force);
	assert_int_equal(command.debug, 2);
	assert_int_equal(command.message_level, 31);
	assert_int_equal(command.options.threads, 4);
	assert_no_error(parse(&command, "--num-threads 0 --size-limit 3G --estimate a"));
	assert_int_equal(command.options.threads, 1);
	assert_int_equal(command.options.size_limit, UINT64_C(3) << 30);
	assert_true(command.estimate);
	assert_string_equal(command.input, "a");
	assert_null(command.output);
	assert_no_error(parse(&command, "--dump-dmesg a b"));
	assert_true(command.dump_dmesg);
	/* Without a word about compression: our own. */
	assert_false(command.codec_given);
	assert_ptr_equal(command.options.codec, codecs[0]);
	assert_no_error(parse(&command, "--uncompressed a b"));
	assert_true(command.codec_given);
	assert_null(command.options.codec);
	assert_no_error(parse(&command, "--fast --fast a b"));
	assert_string_equal(command.options.codec->long_option, "fast");
	assert_no_error(parse(&command, "--small a b"));
	assert_string_equal(command.options.codec->long_option, "small");
	assert_no_error(parse(&command, "--check-params -z -d 31"));
	assert_true(command.check_params);
	assert_false(dumpfilter_needs_program(&command));
	assert_no_error(parse(&command, "-x vmlinux -i info a b"));
	assert_string_equal(command.vmlinux, "vmlinux");
	assert_string_equal(command.vmcoreinfo, "info");
	assert_true(dumpfilter_needs_program(&command));
	assert_no_error(parse(&command, "-x vmlinux -g info"));
	assert_string_equal(command.generate, "info");
	assert_no_error(parse(&command, "--config a.conf --config-optional a b"));
	assert_string_equal(command.config, "a.conf");
	assert_true(command.config_optional && dumpfilter_needs_program(&command));
	/* What makedumpfile has and this has not is refused with a reason. */
	assert_error(parse(&command, "-e a b"), KD_ERR_USAGE, "--exclude-unused-vm is not supported: the struct pages");
	assert_error(parse(&command, "--exclude-unused-vm a b"), KD_ERR_USAGE, "is not supported: the struct pages");
	assert_error(parse(&command, "--fill-excluded-pages 0 a b"), KD_ERR_USAGE, "is not supported: readers");
	assert_error(parse(&command, "--diskset=a b"), KD_ERR_USAGE, "is not supported: dumps that firmware");
	assert_error(parse(&command, "--eppic a b c"), KD_ERR_USAGE, "is not supported: data is erased");
	assert_error(parse(&command, "-X a b"), KD_ERR_USAGE, "-X is not supported: dumps of a Xen");
	assert_error(parse(&command, "--xen-syms x a b"), KD_ERR_USAGE, "--xen-syms is not supported: dumps of a Xen");
	assert_error(parse(&command, "--xen-vmcoreinfo x a b"), KD_ERR_USAGE, "is not supported: dumps of a Xen");
	assert_error(parse(&command, "--xen_phys_start 1 a b"), KD_ERR_USAGE, "is not supported: dumps of a Xen");
	assert_no_error(parse(&command, "--work-dir /tmp --non-mmap a b"));
	assert_true(command.options.no_mmap);
	assert_no_error(parse(&command, "--dump-dmesg --partial-dmesg a b"));
	assert_true(command.options.since_clear);
	assert_no_error(parse(&command, "--vtop ffffffff81000000 a"));
	assert_true(command.vtop && command.vtop_address == STEXT && !command.output);
	assert_string_equal(command.input, "a");
	assert_no_error(parse(&command, "--vtop 0xffffffff81000000 a b"));
	assert_string_equal(command.output, "b");
	assert_no_error(parse(&command, "--mem-usage --json"));
	assert_string_equal(command.input, "/proc/kcore");
	assert_true(command.mem_usage && command.json);
	assert_no_error(parse(&command, "--mem-usage core"));
	assert_string_equal(command.input, "core");
	assert_no_error(parse(&command, "-h -v"));
	assert_true(command.show_help && command.show_version);
	/* Red Hat's line. */
	assert_no_error(parse(&command, "-l --message-level 7 -d 31"));
	assert_true(dumpfilter_writes_file(&command));
	assert_false(dumpfilter_needs_program(&command));

	assert_no_error(parse(&command, "-E -d 31 a b"));
	assert_ptr_equal(command.options.writer, &writer_elf);
	assert_true(dumpfilter_writes_file(&command) && dumpfilter_needs_program(&command));
	assert_no_error(parse(&command, "-F -c a"));
	assert_true(command.options.flatten);
	assert_string_equal(command.input, "a");
	assert_false(dumpfilter_writes_file(&command));
	assert_no_error(parse(&command, "-R a"));
	assert_true(command.rearrange && !command.input);
	assert_string_equal(command.output, "a");
	assert_no_error(parse(&command, "--split -z a b c d"));
	assert_ptr_equal(command.options.writer, &writer_split);
	assert_string_equal(command.input, "a");
	assert_string_equal(command.output, "b");
	assert_int_equal(command.part_count, 2);
	assert_string_equal(command.part[1], "d");
	assert_false(dumpfilter_writes_file(&command));
	assert_no_error(parse(&command, "--reassemble a b c"));
	assert_string_equal(command.output, "c");
	assert_int_equal(command.part_count, 2);
	assert_string_equal(command.part[0], "a");
	assert_no_error(parse(&command, "--dry-run --show-stats -d 31 a"));
	assert_string_equal(command.input, "a");
	assert_int_equal(command.message_level, 7 | 16);
	assert_no_error(
		parse(&command, "--non-mmap --cyclic-buffer 1024 --work-dir /tmp -b 4 --splitblock-size 1 -l a b"));
	assert_int_equal(command.options.window_pages, 8 << 20);
	assert_int_equal(command.options.memory_limit, 0);
	assert_no_error(parse(&command, "--max-memory 24M a b"));
	assert_int_equal(command.options.memory_limit, 24 << 20);
	assert_error(parse(&command, "--max-memory 24X a b"), KD_ERR_USAGE, "--max-memory 24X: not a size");
	assert_error(parse(&command, "--max-memory 0 a b"), KD_ERR_USAGE, "--max-memory 0: not a size");
	assert_error(parse(&command, "--cyclic-buffer 1M a b"), KD_ERR_USAGE, "--cyclic-buffer 1M: not a number");
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_code(parse(&command, refused[i]), KD_ERR_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vmcoreinfo),
		cmocka_unit_test(test_pfn_bitmap),
		cmocka_unit_test(test_pfn_window),
		cmocka_unit_test(test_page_scan),
		cmocka_unit_test(test_page_scan_hole),
		cmocka_unit_test(test_vmcore),
		cmocka_unit_test(test_hostile_headers),
		cmocka_unit_test(test_many_segments),
		cmocka_unit_test(test_translate),
		cmocka_unit_test(test_walk_4_levels),
		cmocka_unit_test(test_walk_5_levels),
		cmocka_unit_test(test_walk_encrypted),
		cmocka_unit_test(test_phys_base_from_segment),
		cmocka_unit_test(test_validation),
		cmocka_unit_test(test_page_classes),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_dump_levels),
		cmocka_unit_test(test_codecs),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_default_threads),
		cmocka_unit_test(test_page_share),
		cmocka_unit_test(test_size_limit),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_first_unreadable),
		cmocka_unit_test(test_estimate),
		cmocka_unit_test(test_estimate_sample),
		cmocka_unit_test(test_partial_pages),
		cmocka_unit_test(test_unfiltered),
		cmocka_unit_test(test_keys_missing),
		cmocka_unit_test(test_mem_map_hole),
		cmocka_unit_test(test_truncated_input),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_flipped_bytes),
		cmocka_unit_test(test_huge_image),
		cmocka_unit_test(test_identify),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_too_much_text),
		cmocka_unit_test(test_old_log),
		cmocka_unit_test(test_mem_usage),
		cmocka_unit_test(test_command),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
