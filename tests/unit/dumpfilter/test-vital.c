/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page frames that are kept whatever their struct pages say. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "dumpfilter/dumpfilter.h"
#include "tests/unit/dumpfilter/debuginfo-testing.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

#define IMAGE(n)       (STEXT_PHYS / 4096 + (n))
#define AT(n)          (STEXT + (n)*UINT64_C(4096))
#define DIRECT(pfn)    (UINT64_C(0xffff888000000000) + (pfn)*UINT64_C(4096))
#define BRK_END        (DATA_AT + 0x200)
#define PERCPU_OFFSETS (DATA_AT + 0x208)
#define CPU_COUNT      (DATA_AT + 0x300)
#define PERCPU_PAGES   12 /* 3 of the kernel's own, and what is reserved behind them */
#define LOG_PAGE       450
#define NEW_TABLE      460
#define FREE           ((uint32_t)-129)

/* A kernel that knows its symbols, two CPUs with memory of their own, and a log outside of the image. */
static void make_machine(struct machine *machine)
{
	static const struct test_symbol symbols[] = {
		{ "T_stext", AT(0) },
		{ "T_etext", AT(0x10) },
		{ "R__start_rodata", AT(0x20) },
		{ "R__end_rodata", AT(0x40) },
		{ "D_sdata", AT(0x50) },
		{ "T__init_begin", AT(0x60) },
		{ "T__init_end", AT(0x70) },
		{ "B__start_bss_decrypted_unused", AT(0x74) + 8 },
		{ "B__end_bss_decrypted", AT(0x78) },
		{ "B_end", AT(0x1e0) },
		{ "D_brk_end", BRK_END },
		{ "D__per_cpu_end", 0x3000 },
		{ "R__per_cpu_offset", PERCPU_OFFSETS },
		{ "Dnr_cpu_ids", CPU_COUNT },
	};

	machine_init_log(machine);
	machine_kallsyms(machine, symbols, ARRAY_SIZE(symbols), RULE_ABSOLUTE_PERCPU);
	machine_put(machine, PHYS(BRK_END), AT(0x1d8) + 8, 8);
	machine_put(machine, PHYS(CPU_COUNT), 3, 4);
	machine_put(machine, PHYS(PERCPU_OFFSETS), DIRECT(400), 8);
	machine_put(machine, PHYS(PERCPU_OFFSETS + 16), DIRECT(420), 8); /* the CPU between them was never there */
	for (uint64_t pfn = 400; pfn <= LOG_PAGE; pfn++)
		machine_map(machine, DIRECT(pfn), pfn * 4096, 4096);
	machine_put(machine, PHYS(LOG_RING + 72), DIRECT(LOG_PAGE), 8);
	machine->next_table = NEW_TABLE * 4096;
	machine_map(machine, DIRECT(UINT64_C(1) << 30), UINT64_C(7) << 20, 4096);
}

static const struct {
	const char *what;
	uint64_t pfn;
	bool kept, without_symbols;
} rows[] = {
	{ "code", IMAGE(0), true, false },
	{ "the last page of code", IMAGE(0xf), true, false },
	{ "behind the code", IMAGE(0x10), false, false },
	{ "before the constants", IMAGE(0x1f), false, false },
	{ "constants", IMAGE(0x20), true, false },
	{ "the last constants", IMAGE(0x3f), true, false },
	{ "behind the constants", IMAGE(0x40), false, false },
	{ "data", IMAGE(0x50), true, false },
	{ "the last data", IMAGE(0x5f), true, false },
	{ "code for booting", IMAGE(0x60), false, false },
	{ "the end of what is for booting", IMAGE(0x6f), false, false },
	{ ".bss", IMAGE(0x72), true, false },
	{ "the page where it is given away", IMAGE(0x74), true, false },
	{ "given away", IMAGE(0x75), false, false },
	{ "the last that is given away", IMAGE(0x77), false, false },
	{ ".bss behind it", IMAGE(0x78), true, false },
	{ "the last page of brk", IMAGE(0x1d8), true, false },
	{ "unused brk", IMAGE(0x1d9), false, false },
	{ "behind the image", IMAGE(0x1e0), false, false },
	{ "the first CPU's memory", 400, true, false },
	{ "the last of it", 400 + PERCPU_PAGES - 1, true, false },
	{ "behind it", 400 + PERCPU_PAGES, false, false },
	{ "the second CPU's memory", 420 + PERCPU_PAGES - 1, true, false },
	{ "the log", LOG_PAGE, true, true },
	{ "before the log", LOG_PAGE - 1, false, false },
	{ "a page table of a lower level", NEW_TABLE + 2, true, true },
	{ "behind the page tables", NEW_TABLE + 3, false, false },
	{ "struct pages", MEM_MAP / 4096 + 3, true, true },
	{ "low memory", 1, true, true },
	{ "the last of it", 15, true, true },
	{ "behind it", 16, false, false },
	{ "kernel name", (UTS_NS - STEXT + STEXT_PHYS) / 4096, true, true },
};

/* Each of these struct pages is damaged in one of these ways. */
static const struct {
	uint64_t flags, mapping;
	uint32_t mapcount;
} damage[] = {
	{ LRU, 0xffff888000345000, 0 },
	{ LRU | SWAPBACKED, 0xffff888000345001, UNMAPPED },
	{ 0, 0, FREE },
};

static void check(bool symbols, size_t way, const struct dumpfilter_options *options)
{
	struct dumpfilter_report report;
	struct machine machine;
	struct result result;

	make_machine(&machine);
	if (!symbols)
		machine_forget(&machine, "SYMBOL(kallsyms_");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		machine_put(&machine, machine_page(rows[i].pfn), damage[way].flags, 8);
		machine_put(&machine, machine_page(rows[i].pfn) + 24, damage[way].mapping, 8);
		machine_put(&machine, machine_page(rows[i].pfn) + 48, damage[way].mapcount, 4);
	}
	machine_write(&machine, core);
	assert_no_error(dumpfilter_run(core, dump, options, &report));
	assert_false(report.unfiltered);
	read_result(&result);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool expected = symbols ? rows[i].kept : rows[i].without_symbols;

		if (has(result.bitmap2, rows[i].pfn) != expected)
			fail_msg("%s, damaged in way %zu: %s", rows[i].what, way, expected ? "dropped" : "kept");
	}
	free(result.file);
	unlink(dump);
	machine_release(&machine);
}

static void test_damaged_struct_pages(void **state)
{
	for (size_t way = 0; way < ARRAY_SIZE(damage); way++) {
		check(true, way, &(struct dumpfilter_options){ .level = 31, .threads = 1 });
		check(true, way, &(struct dumpfilter_options){ .level = 31, .threads = 3 });
		check(true, way, &(struct dumpfilter_options){ .level = 31, .threads = 1, .window_pages = 128 });
		check(false, way, &(struct dumpfilter_options){ .level = 31, .threads = 1 });
	}
}

/* One struct page says that a large block is free, whose other pages it covers. */
static void test_free_block_over_all(void **state)
{
	const struct dumpfilter_options options = { .level = 31, .threads = 1 };
	struct dumpfilter_report report;
	struct machine machine;
	struct result result;

	make_machine(&machine);
	machine_put(&machine, machine_page(IMAGE(0x80)) + 40, 6, 8);
	machine_put(&machine, machine_page(IMAGE(0x80)) + 48, FREE, 4);
	machine_put(&machine, machine_page(384) + 40, 7, 8);
	machine_put(&machine, machine_page(384) + 48, FREE, 4);
	machine_write(&machine, core);
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_false(report.unfiltered);
	read_result(&result);
	/* Of the 128 pages from 384 on, these are two CPUs' memory, the log and page tables. */
	assert_int_equal(excluded(&result), 128 - 2 * PERCPU_PAGES - 1 - 3);
	assert_int_equal(report.pages[PAGE_FREE], 128 - 2 * PERCPU_PAGES - 1 - 3);
	free(result.file);
	machine_release(&machine);
}

/* Poison is left out even there: reading it can kill the machine. */
static void test_poison(void **state)
{
	const struct dumpfilter_options options = { .level = 31, .threads = 1 };
	struct machine machine;
	struct result result;

	make_machine(&machine);
	machine_put(&machine, machine_page(IMAGE(0x72)), HWPOISON | LRU, 8);
	machine_write(&machine, core);
	assert_no_error(dumpfilter_run(core, dump, &options, NULL));
	read_result(&result);
	assert_int_equal(excluded(&result), 1);
	assert_false(has(result.bitmap2, IMAGE(0x72)));
	free(result.file);
	machine_release(&machine);
}

/* Symbols and variables that make no sense: nothing follows from them, and nothing takes long. */
static void test_hostile_symbols(void **state)
{
	static const struct test_symbol symbols[] = {
		{ "T_stext", AT(0) },
		{ "T_etext", AT(0) - 1 },
		{ "R__start_rodata", 0x1000 },
		{ "R__end_rodata", AT(0x40) },
		{ "D_sdata", AT(0x50) },
		{ "B_end", AT(0x50) + (UINT64_C(1) << 29) },
		{ "T__init_begin", AT(0x70) },
		{ "T__init_end", AT(0x60) },
		{ "D_brk_end", BRK_END },
		{ "D__per_cpu_end", 0x7fffffff },
		{ "R__per_cpu_offset", PERCPU_OFFSETS },
		{ "Dnr_cpu_ids", CPU_COUNT },
	};
	const struct dumpfilter_options options = { .level = 31, .threads = 1 };
	struct dumpfilter_report report;
	struct machine machine;

	machine_init(&machine, 4);
	machine_kallsyms(&machine, symbols, ARRAY_SIZE(symbols), RULE_ABSOLUTE_PERCPU);
	machine_put(&machine, PHYS(BRK_END), 5, 8);
	machine_put(&machine, PHYS(CPU_COUNT), UINT32_MAX, 4);
	machine_write(&machine, core);
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_false(report.unfiltered);
	assert_int_equal(report.pages_written, RAM_PAGES);
	machine_release(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_damaged_struct_pages, dump_setup, dump_teardown),
		cmocka_unit_test_setup_teardown(test_free_block_over_all, dump_setup, dump_teardown),
		cmocka_unit_test_setup_teardown(test_poison, dump_setup, dump_teardown),
		cmocka_unit_test_setup_teardown(test_hostile_symbols, dump_setup, dump_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
