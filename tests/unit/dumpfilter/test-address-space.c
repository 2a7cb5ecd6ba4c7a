/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtual addresses of the crashed kernel, by its page tables. */
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

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
	assert_no_error(open_machine(&opened));

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
	close_machine(&opened);
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
	assert_no_error(open_machine(&opened));
	assert_int_equal(opened.space.paging.image_paddr, 0);
	close_machine(&opened);
	machine_release(&opened.machine);
}

static void test_validation(void **state)
{
	struct opened opened;

	machine_init(&opened.machine, 4);
	machine_info(&opened.machine, "NUMBER(phys_base)=4096\n");
	assert_code(open_machine(&opened), KD_ERR_HOLE);
	close_machine(&opened);
	machine_info(&opened.machine, "NUMBER(phys_base)=0\nOSRELEASE=6.2\n");
	assert_code(open_machine(&opened), KD_ERR_FORMAT);
	close_machine(&opened);
	machine_info(&opened.machine, "OSRELEASE=6.1.0-test\nPAGESIZE=4097\n");
	assert_code(open_machine(&opened), KD_ERR_FORMAT);
	close_machine(&opened);
	machine_info(&opened.machine, "PAGESIZE=4096\n");
	machine_forget(&opened.machine, "SYMBOL(init_top_pgt)");
	assert_code(open_machine(&opened), KD_ERR_FORMAT);
	close_machine(&opened);
	machine_release(&opened.machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_translate),
		cmocka_unit_test(test_walk_4_levels),
		cmocka_unit_test(test_walk_5_levels),
		cmocka_unit_test(test_walk_encrypted),
		cmocka_unit_test(test_phys_base_from_segment),
		cmocka_unit_test(test_validation),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
