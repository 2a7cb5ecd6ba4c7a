/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pages that are written first: those that crash and drgn need to open the dump. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "dumpfilter/crashed_kernel.h"
#include "dumpfilter/pages/selection.h"
#include "tests/unit/dumpfilter/debuginfo-testing.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

#define ENTRY_WRITABLE   UINT64_C(2)
#define ENTRY_NO_EXECUTE (UINT64_C(1) << 63)
/* Addresses of slab caches. */
#define TASKS         UINT64_C(0xffff888000123000)
#define PIDS          UINT64_C(0xffff888000123400)
#define DENTRIES      UINT64_C(0xffff888000123800)
#define STACK         UINT64_C(0xffffc90000008000)
#define MODULE_AREA   UINT64_C(0xffffffffc0000000)
#define IMAGE_PAGE(n) (STEXT_PHYS / 4096 + (n))

static uint64_t get(const struct machine *machine, uint64_t paddr)
{
	uint64_t value;

	memcpy(&value, machine->ram + paddr, sizeof(value));
	return value;
}

/* Map the image page by page; pages 0 to 15 are code, 32 to 63 are constants, the others can be written. */
static void split_image(struct machine *machine)
{
	uint64_t table = PHYS(ROOT_TABLE), slot;

	for (unsigned int below = 3;; below--) {
		slot = table + (STEXT >> (12 + 9 * below)) % 512 * 8;
		if (below == 1)
			break;
		table = get(machine, slot) & UINT64_C(0x000ffffffffff000);
	}
	machine_put(machine, slot, 0, 8);
	for (uint64_t i = 0; i < 512; i++)
		machine_map(machine, STEXT + i * 4096, STEXT_PHYS + i * 4096, 4096);
	table = get(machine, slot) & UINT64_C(0x000ffffffffff000);
	for (uint64_t i = 0; i < 64; i++) {
		uint64_t entry = get(machine, table + i * 8);

		if (i < 16)
			machine_put(machine, table + i * 8, entry & ~(ENTRY_WRITABLE | ENTRY_NO_EXECUTE), 8);
		else if (i >= 32)
			machine_put(machine, table + i * 8, entry & ~ENTRY_WRITABLE, 8);
	}
}

static void put_slab(struct machine *machine, uint64_t pfn, uint64_t offset, uint64_t cache)
{
	machine_put(machine, machine_page(pfn), SLAB, 8);
	machine_put(machine, machine_page(pfn) + offset, cache, 8);
}

static void make_machine(struct machine *machine)
{
	static const struct test_symbol symbol[] = {
		{ "T_stext", STEXT },
		{ "T__sched_text_start", STEXT + 0x4010 },
		{ "T__sched_text_end", STEXT + 0x5008 },
		{ "R__start_BTF", STEXT + 0x30010 },
		{ "R__stop_BTF", STEXT + 0x33008 },
		{ "dtask_struct_cachep", DATA_AT },
		{ "Dinit_pid_ns", DATA_AT + 0x100 },
	};

	machine_init(machine, 4);
	machine_kallsyms(machine, symbol, ARRAY_SIZE(symbol), RULE_BASE_RELATIVE);
	split_image(machine);
	machine_put(machine, PHYS(DATA_AT), TASKS, 8);
	machine_put(machine, PHYS(DATA_AT + 0x118), PIDS, 8);
	/* Where in struct page the cache stands differs. */
	put_slab(machine, 320, 24, TASKS);
	put_slab(machine, 321, 8, PIDS);
	put_slab(machine, 322, 24, DENTRIES);
	machine_put(machine, machine_page(100), LRU, 8);
	/* The stack of a CPU, with an address in it that a call returns to. */
	for (uint64_t i = 0; i < 4; i++)
		machine_map(machine, STACK + i * 4096, (300 + i) * 4096, 4096);
	machine->stack_pointer = STACK + 0x2100;
	machine_put(machine, 302 * 4096 + 0x108, STEXT + 9 * 4096 + 4, 8);
	/* What is on no stack does not count. */
	machine_put(machine, 299 * 4096, STEXT + 12 * 4096, 8);
	/* Two pages of modules, with a hole between them, and something behind what modules have. */
	machine_map(machine, MODULE_AREA, 310 * 4096, 4096);
	machine_map(machine, MODULE_AREA + (UINT64_C(64) << 20), 312 * 4096, 4096);
	machine_map(machine, UINT64_C(0xffffffffff5fe000), 314 * 4096, 4096);
}

struct expectation {
	const char *what;
	uint64_t pfn;
	enum page_pass pass;
};

static enum page_pass pass_of(const struct page_order *order, uint64_t pfn)
{
	for (unsigned int i = 0; i < PASS_COUNT; i++)
		if (i != PASS_OTHERS && pfn_bitmap_test(&order->pass[i], pfn))
			return i;
	return PASS_OTHERS;
}

static void check_order(const struct machine *machine, const struct expectation *expected, size_t count)
{
	const struct dumpfilter_options options = { .level = 0 };
	const struct memory_plan plan = { .threads = 1, .scanners = 1, .window = RAM_PAGES };
	struct selection selection = { 0 };
	struct crash crash = { 0 };
	const struct selection_request request = { .space = &crash.space };

	machine_write(machine, core);
	assert_no_error(crash_open(&crash, core, &options));
	crash_explore(&crash, &options);
	assert_null(crash.problem);
	assert_no_error(selection_make(&selection, &request, &plan));
	assert_false(selection.unfiltered);
	for (size_t i = 0; i < count; i++)
		if (pass_of(&selection.order, expected[i].pfn) != expected[i].pass)
			fail_msg("%s: pass %d, expected %d", expected[i].what,
				 pass_of(&selection.order, expected[i].pfn), expected[i].pass);
	selection_release(&selection);
	crash_close(&crash);
}

static void test_order(void **state)
{
	static const struct expectation expected[] = {
		{ "code", IMAGE_PAGE(2), PASS_CODE },
		{ "code before the scheduler", IMAGE_PAGE(3), PASS_CODE },
		{ "the scheduler", IMAGE_PAGE(4), PASS_BASIC },
		{ "the scheduler's end", IMAGE_PAGE(5), PASS_BASIC },
		{ "code behind the scheduler", IMAGE_PAGE(6), PASS_CODE },
		{ "code on a CPU's stack", IMAGE_PAGE(9), PASS_BASIC },
		{ "the call before it", IMAGE_PAGE(8), PASS_BASIC },
		{ "code behind it", IMAGE_PAGE(10), PASS_CODE },
		{ "code that something else points to", IMAGE_PAGE(12), PASS_CODE },
		{ "constants", IMAGE_PAGE(0x20), PASS_BASIC },
		{ "constants and types", IMAGE_PAGE(0x30), PASS_BASIC },
		{ "types", IMAGE_PAGE(0x31), PASS_OTHERS },
		{ "types", IMAGE_PAGE(0x32), PASS_OTHERS },
		{ "types and constants", IMAGE_PAGE(0x33), PASS_BASIC },
		{ "data", IMAGE_PAGE(0x50), PASS_BASIC },
		{ "a page table", PHYS(ROOT_TABLE) / 4096, PASS_BASIC },
		{ "a CPU's stack", 303, PASS_BASIC },
		{ "a module", 310, PASS_BASIC },
		{ "a module behind a hole", 312, PASS_BASIC },
		{ "no module", 314, PASS_OTHERS },
		{ "a task", 320, PASS_BASIC },
		{ "a pid", 321, PASS_BASIC },
		{ "another slab", 322, PASS_SLAB },
		{ "any other page", 323, PASS_OTHERS },
		{ "page cache", 100, PASS_LATE },
	};
	struct machine machine;

	make_machine(&machine);
	check_order(&machine, expected, ARRAY_SIZE(expected));
	machine_release(&machine);
}

/* A kernel whose symbols cannot be found. */
static void test_order_without_symbols(void **state)
{
	static const struct expectation expected[] = {
		{ "the scheduler", IMAGE_PAGE(4), PASS_CODE },
		{ "code on a CPU's stack", IMAGE_PAGE(9), PASS_BASIC },
		{ "types", IMAGE_PAGE(0x31), PASS_BASIC },
		{ "a module", 310, PASS_BASIC },
		{ "a task", 320, PASS_SLAB },
	};
	struct machine machine;

	make_machine(&machine);
	machine_forget(&machine, "SYMBOL(kallsyms_");
	check_order(&machine, expected, ARRAY_SIZE(expected));
	machine_release(&machine);
}

/* Damaged VMCOREINFO makes the modules' area as large as the address space: the search still ends. */
static void test_order_hostile(void **state)
{
	static const struct expectation expected[] = {
		{ "data", IMAGE_PAGE(0x50), PASS_BASIC },
		{ "a task", 320, PASS_BASIC },
	};
	struct machine machine;

	make_machine(&machine);
	machine_info(&machine, "NUMBER(KERNEL_IMAGE_SIZE)=%ld\n", INT64_MAX);
	check_order(&machine, expected, ARRAY_SIZE(expected));
	machine_release(&machine);
}

/* The symbol table is not needed early, and reading it does not change that. */
static void test_order_of_symbols(void **state)
{
	static const struct expectation expected[] = {
		{ "symbols", IMAGE_PAGE(0x31), PASS_OTHERS },
		{ "symbols and constants", IMAGE_PAGE(0x30), PASS_BASIC },
		{ "constants", IMAGE_PAGE(0x33), PASS_BASIC },
	};
	struct machine machine;

	make_machine(&machine);
	machine_forget(&machine, "SYMBOL(kallsyms_offsets)");
	machine_forget(&machine, "SYMBOL(kallsyms_token_index)");
	machine_forget(&machine, "SYMBOL(kallsyms_token_table)");
	machine_forget(&machine, "SYMBOL(kallsyms_names)");
	machine_info(&machine, "SYMBOL(kallsyms_names)=%lx\nSYMBOL(kallsyms_token_index)=%lx\n", STEXT + 0x30800,
		     STEXT + 0x32800);
	machine_info(&machine, "SYMBOL(kallsyms_offsets)=%lx\nSYMBOL(kallsyms_token_table)=%lx\n", STEXT + 0x31000,
		     STEXT + 0x32000);
	check_order(&machine, expected, ARRAY_SIZE(expected));
	machine_release(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_order_without_symbols),
		cmocka_unit_test(test_order_of_symbols),
		cmocka_unit_test(test_order_hostile),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
