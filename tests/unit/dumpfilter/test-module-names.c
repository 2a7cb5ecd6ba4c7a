/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types and symbols of modules. */
#include <elf.h>
#include <stdlib.h>

#include "base/array.h"
#include "dumpfilter/names/dump_names.h"
#include "dumpfilter/names/module_names.h"
#include "tests/unit/dumpfilter/debuginfo-testing.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

static void put64(struct machine *machine, uint64_t vaddr, uint64_t value)
{
	machine_put(machine, vaddr - STEXT + STEXT_PHYS, value, 8);
}

static void test_module(void **state)
{
	static const uint64_t first = DATA_AT + 0x100, second = DATA_AT + 0x200, tables = DATA_AT + 0x400;
	Elf64_Sym symbol[2] = { { 0 }, { .st_name = 5, .st_shndx = 3, .st_value = 0x4711 } };
	struct module_names *module;
	const struct debuginfo *info;
	struct dump_names names;
	struct opened opened;
	uint64_t value;

	machine_init(&opened.machine, 4);
	machine_add_kernel_names(&opened.machine);
	put64(&opened.machine, MODULES, first + 8);
	put64(&opened.machine, first + 8, second + 8);
	put64(&opened.machine, second + 8, MODULES);
	strcpy((char *)opened.machine.ram + (first + 24 - STEXT + STEXT_PHYS), "one");
	strcpy((char *)opened.machine.ram + (second + 24 - STEXT + STEXT_PHYS), "two_two");
	put64(&opened.machine, second + 80, tables);
	put64(&opened.machine, tables, tables + 0x40);
	put64(&opened.machine, tables + 8, 2);
	put64(&opened.machine, tables + 16, tables + 0x100);
	memcpy(opened.machine.ram + (tables + 0x40 - STEXT + STEXT_PHYS), symbol, sizeof(symbol));
	memcpy(opened.machine.ram + (tables + 0x100 - STEXT + STEXT_PHYS), "\0abc\0my_key", 12);
	/* Its BTF is the second of two. */
	put64(&opened.machine, BTF_MODULES, DATA_AT + 0x600);
	put64(&opened.machine, DATA_AT + 0x600, DATA_AT + 0x640);
	put64(&opened.machine, DATA_AT + 0x610, first);
	put64(&opened.machine, DATA_AT + 0x640, BTF_MODULES);
	put64(&opened.machine, DATA_AT + 0x650, second);
	put64(&opened.machine, DATA_AT + 0x658, DATA_AT + 0x700);
	assert_no_error(open_machine(&opened));
	assert_no_error(dump_names_open(&names, &opened.space));
	assert_no_error(module_names_open(&opened.space, &names.info, names.btf, "three", &module));
	assert_null(module);
	assert_error(module_names_open(&opened.space, &names.info, names.btf, "one", &module), KD_ERR_HOLE,
		     "the symbols of module one");
	assert_no_error(module_names_open(&opened.space, &names.info, names.btf, "two_two", &module));
	info = module_names_info(module);
	assert_true(debuginfo_symbol(info, "my_key", &value));
	assert_int_equal(value, 0x4711);
	assert_false(debuginfo_symbol(info, "abc", &value)); /* undefined */
	assert_true(debuginfo_size(info, "secret_of_mine", &value));
	assert_int_equal(value, 48);
	assert_true(debuginfo_size(info, "page", &value));
	module_names_close(module);
	close_machine(&opened);

	/* A list that bites its tail, but not the end of it. */
	put64(&opened.machine, second + 8, first + 8);
	assert_no_error(open_machine(&opened));
	assert_error(module_names_open(&opened.space, &names.info, names.btf, "three", &module), KD_ERR_FORMAT,
		     "more than 65536 elements");
	dump_names_release(&names);
	close_machine(&opened);
	machine_release(&opened.machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_module),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
