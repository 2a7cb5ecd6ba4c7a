/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aarch64 dumps, from tables made up for every page size and width of addresses; runs on any host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/kernel/arch.h"
#include "tests/unit/dumpfilter/aarch64-testing.h"
#include "tests/unit/dumpfilter/dump-check.h"
#include "tests/unit/testing.h"

static char core[64], dump[64];

struct opened {
	struct vmcore *vmcore;
	struct vmcoreinfo info;
	struct address_space space;
};

static struct kd_error *open_core(struct opened *opened)
{
	assert_no_error(vmcore_open(core, &opened->vmcore));
	opened->info.text = vmcore_vmcoreinfo(opened->vmcore, &opened->info.size);
	return address_space_init(&opened->space, opened->vmcore, &opened->info, NULL);
}

static void close_core(struct opened *opened)
{
	address_space_release(&opened->space);
	vmcore_close(opened->vmcore);
}

static void expect_at(struct opened *opened, uint64_t vaddr, uint64_t paddr, uint64_t size)
{
	uint64_t found = 0, left = 0;

	assert_no_error(address_space_translate(&opened->space, vaddr, &found, &left));
	assert_int_equal(found, paddr);
	assert_int_equal(left, size);
}

static void expect_hole(struct opened *opened, uint64_t vaddr)
{
	uint64_t paddr, size;

	assert_error(address_space_translate(&opened->space, vaddr, &paddr, &size), KD_ERR_HOLE, "");
}

/* Real kernels: VA_BITS, and the width that the CPU uses (T1SZ; 0: the kernel is older than the key). */
static const struct width {
	unsigned int page_shift, va_bits, t1sz;
	unsigned int table_bits, levels; /* of the tables */
	uint64_t base;                   /* of memory */
} widths[] = {
	{ 12, 39, 25, 39, 3, UINT64_C(0x40000000) },
	{ 12, 48, 16, 48, 4, UINT64_C(0x40000000) },
	{ 12, 48, 0, 48, 4, UINT64_C(0x800000000000) },
	{ 12, 52, 12, 52, 5, UINT64_C(0xd800040000000) },
	{ 12, 52, 16, 48, 4, UINT64_C(0x840000000000) },
	{ 14, 36, 28, 36, 2, UINT64_C(0x40000000) },
	{ 14, 47, 17, 47, 3, UINT64_C(0x40000000) },
	{ 14, 48, 16, 48, 4, UINT64_C(0x40000000) },
	{ 14, 52, 12, 52, 4, UINT64_C(0xf400040000000) },
	{ 14, 52, 17, 47, 3, UINT64_C(0x40000000) },
	{ 16, 42, 22, 42, 2, UINT64_C(0x40000000) },
	{ 16, 48, 16, 48, 3, UINT64_C(0x40000000) },
	{ 16, 52, 12, 52, 3, UINT64_C(0xa000040000000) },
	{ 16, 52, 16, 52, 3, UINT64_C(0xa000040000000) }, /* the tables stay those of 52 bits */
	{ 16, 52, 0, 52, 3, UINT64_C(0xf000040000000) },
};

static void check_width(const struct width *width, bool image)
{
	uint64_t page = UINT64_C(1) << width->page_shift, linear = -(UINT64_C(1) << (width->table_bits - 1));
	struct opened opened;
	struct arm arm;

	/* Addresses that a CPU which runs 48 bits of 52 could not have are not used. */
	if (width->page_shift == 16 && width->t1sz == 16)
		linear = UINT64_C(0xffff800000000000);
	arm_init(&arm, width->page_shift, width->table_bits, width->levels, width->base);
	arm_info(&arm, "NUMBER(VA_BITS)=%u\n", width->va_bits);
	if (width->t1sz)
		arm_info(&arm, "NUMBER(TCR_EL1_T1SZ)=0x%x\n", width->t1sz);
	arm_map(&arm, linear, width->base + 0x1000000, page);
	strcpy((char *)arm_at(&arm, width->base + 0x1000000), "hello");
	/* A block of each level above the pages, where addresses are wide enough for it to be one. */
	for (unsigned int below = 1; below < width->levels && below < 3; below++) {
		unsigned int shift = width->page_shift + (width->page_shift - 3) * below;

		if (shift + 2 < width->table_bits)
			arm_map(&arm, linear + (UINT64_C(1) << shift), UINT64_C(1) << shift, UINT64_C(1) << shift);
	}
	arm_write(&arm, core, image, 0);
	assert_no_error(open_core(&opened));
	assert_int_equal(opened.space.paging.levels, width->levels);
	assert_int_equal(opened.space.paging.image_size, image ? page : 0);
	assert_int_equal(opened.space.arch->phys_base(&opened.space), width->base);

	expect_at(&opened, TEXT_VADDR + page + 5, arm.image_paddr + page + 5, page - 5);
	expect_at(&opened, linear + 8, width->base + 0x1000000 + 8, page - 8);
	/* A tag in the top byte, a signature below it. */
	expect_at(&opened, (linear & ~(UINT64_C(0xff) << 56)) | UINT64_C(0x73) << 56, width->base + 0x1000000, page);
	if (width->table_bits < 52)
		expect_at(&opened, (linear & ~(UINT64_C(5) << 52)), width->base + 0x1000000, page);
	for (unsigned int below = 1; below < width->levels && below < 3; below++) {
		unsigned int shift = width->page_shift + (width->page_shift - 3) * below;
		uint64_t size = UINT64_C(1) << shift;

		if (shift + 2 < width->table_bits)
			expect_at(&opened, linear + size + 0x12345, size + 0x12345, size - 0x12345);
	}
	expect_hole(&opened, linear + page);
	expect_hole(&opened, linear & ((UINT64_C(1) << 48) - 1)); /* the other half is not the kernel's */
	expect_hole(&opened, 0);

	char text[6];
	assert_no_error(address_space_read(&opened.space, linear, text, sizeof(text)));
	assert_string_equal(text, "hello");
	close_core(&opened);
	arm_release(&arm);
}

static void test_widths(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		check_width(&widths[i], true);
		check_width(&widths[i], false);
	}
}

/* An entry of the last table must be marked as a page: a block is not valid there. */
static void test_entries(void **state)
{
	struct opened opened;
	struct arm arm;
	uint64_t linear = UINT64_C(0xffff800000000000);
	uint64_t entry;

	arm_init(&arm, 12, 48, 4, 0x40000000);
	arm_info(&arm, "NUMBER(VA_BITS)=48\nNUMBER(TCR_EL1_T1SZ)=0x10\n");
	for (unsigned int i = 0; i < 4; i++)
		arm_map(&arm, linear + i * 4096, 0x50000000 + i * 4096, 4096);
	for (uint64_t type = 0; type < 4; type++) {
		uint8_t *slot = arm_at(&arm, arm.next_table - 4096 + type * 8);

		memcpy(&entry, slot, 8);
		entry = (entry & ~UINT64_C(3)) | type;
		memcpy(slot, &entry, 8);
	}
	arm_write(&arm, core, true, 0);
	assert_no_error(open_core(&opened));
	expect_hole(&opened, linear);
	expect_hole(&opened, linear + 4096);
	expect_hole(&opened, linear + 2 * 4096);
	expect_at(&opened, linear + 3 * 4096, 0x50003000, 4096);
	close_core(&opened);
	arm_release(&arm);
}

static void expect_refused(const char *lines)
{
	struct opened opened;
	struct arm arm;

	arm_init(&arm, 12, 48, 4, 0x40000000);
	arm_info(&arm, "%s", lines);
	arm_write(&arm, core, true, 0);
	assert_error(open_core(&opened), KD_ERR_FORMAT, "");
	close_core(&opened);
	arm_release(&arm);
}

static void test_refused(void **state)
{
	expect_refused("");
	expect_refused("NUMBER(VA_BITS)=0\n");
	expect_refused("NUMBER(VA_BITS)=53\n");
	expect_refused("NUMBER(VA_BITS)=48\nNUMBER(TCR_EL1_T1SZ)=0x3f\n");
	expect_refused("NUMBER(VA_BITS)=48\nNUMBER(kimage_voffset)=none\n");
	expect_refused("NUMBER(VA_BITS)=48\nSYMBOL(swapper_pg_dir)=zz\n");
}

/* A whole run of the filter: sections, struct pages, free pages, and the stack of the CPU. */
static void test_dump(void **state)
{
	struct dumpfilter_options options = { .level = 31 };
	struct dumpfilter_identity identity;
	struct dumpfilter_report report;
	struct dump_check check;
	struct opened opened;
	struct arm arm;

	arm_init_mem_map(&arm);
	arm_write(&arm, core, false, ARM_STACK + 0x100);

	assert_no_error(open_core(&opened));
	address_space_walk_all(&opened.space);
	assert_true(kd_ranges_contain(&opened.space.walked, ARM_STACK_PHYS, ARM_STACK_PHYS + 4096));
	close_core(&opened);

	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_false(report.unfiltered);
	assert_int_equal(report.pages[PAGE_FREE], 2);
	assert_int_equal(report.pages_written, arm.count - 2);
	assert_null(dump_check(dump, &check));
	assert_int_equal(check.filled, report.pages_written);
	unlink(dump);
	assert_no_error(dumpfilter_identify(core, &identity));
	assert_string_equal(identity.machine, "aarch64");
	assert_string_equal(identity.release, "6.1.0-test");
	arm_release(&arm);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_dump),
	};
	int failed;

	snprintf(core, sizeof(core), "/tmp/test-aarch64-%d.core", (int)getpid());
	snprintf(dump, sizeof(dump), "/tmp/test-aarch64-%d.dump", (int)getpid());
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(core);
	unlink(dump);
	return failed;
}
