/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbols of the crashed kernel, in its kallsyms; and tables that lie. */
#include <stdlib.h>

#include "base/array.h"
#include "dumpfilter/names/kallsyms.h"
#include "tests/unit/dumpfilter/debuginfo-testing.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

static void check_rule(enum kallsyms_rule rule)
{
	static char long_name[202];
	const struct test_symbol symbol[] = {
		{ "A_percpu_thing", rule == RULE_ABSOLUTE_PERCPU ? 0x1c0 : STEXT - 0x1000 + 0x1000 },
		{ "T_stext", STEXT },
		{ "Dinit_uts_ns", UTS_NS },
		{ "dstatic_key", DATA_AT },
		{ "dstatic_key", DATA_AT + 8 },
		{ long_name, DATA_AT + 0x10 },
		{ "b", DATA_AT + 0x20 },
	};
	const char *const wanted[] = { "init_uts_ns", "init", long_name + 1, "static_key", "_percpu_thing" };
	uint64_t address = 1, addresses[ARRAY_SIZE(wanted)];
	struct kallsyms *kallsyms;
	struct opened opened;

	memset(long_name, 'n', sizeof(long_name) - 1);
	machine_init(&opened.machine, 4);
	machine_kallsyms(&opened.machine, symbol, ARRAY_SIZE(symbol), rule);
	assert_no_error(open_machine(&opened));
	assert_no_error(kallsyms_open(&opened.space, &kallsyms));
	for (uint32_t i = 0; i < ARRAY_SIZE(symbol); i++) {
		if (i > 0 && strcmp(symbol[i].name, symbol[i - 1].name) == 0)
			continue; /* the first of a name is found */
		assert_true(kallsyms_symbols.find(kallsyms, symbol[i].name + 1, &address) > 0);
		assert_int_equal(address, symbol[i].address);
	}
	assert_int_equal(kallsyms_symbols.find(kallsyms, "init_uts_ns", &address), 1);
	assert_int_equal(address, UTS_NS);
	assert_int_equal(kallsyms_symbols.find(kallsyms, "static_key", &address), 2);
	assert_int_equal(address, DATA_AT);
	assert_int_equal(kallsyms_symbols.find(kallsyms, long_name + 1, &address), 1);
	assert_int_equal(address, DATA_AT + 0x10);
	assert_int_equal(kallsyms_symbols.find(kallsyms, "init_", &address), 0);
	assert_int_equal(kallsyms_symbols.find(kallsyms, "init_uts_ns2", &address), 0);
	/* All at once: with few letters, with more than the pass looks at first, of two the first one. */
	kallsyms_find_all(kallsyms, wanted, ARRAY_SIZE(wanted), addresses);
	assert_int_equal(addresses[0], UTS_NS);
	assert_int_equal(addresses[1], 0);
	assert_int_equal(addresses[2], DATA_AT + 0x10);
	assert_int_equal(addresses[3], DATA_AT);
	assert_int_equal(addresses[4], rule == RULE_ABSOLUTE_PERCPU ? 0x1c0 : STEXT);
	kallsyms_close(kallsyms);
	close_machine(&opened);
	machine_release(&opened.machine);
}

static void test_kallsyms(void **state)
{
	check_rule(RULE_ABSOLUTE_PERCPU);
	check_rule(RULE_BASE_RELATIVE);
	check_rule(RULE_PLACE_RELATIVE);
}

static void test_kallsyms_hostile(void **state)
{
	static const struct test_symbol symbol[] = { { "T_stext", STEXT } }, other[] = { { "T_etext", STEXT } };
	static const struct {
		uint64_t at, value;
		size_t size;
		enum kd_error_code code;
		const char *text;
	} cases[] = {
		{ 0, 0, 4, KD_ERR_FORMAT, "0 symbols" },
		{ 0, UINT32_MAX, 4, KD_ERR_FORMAT, "4294967295 symbols" },
		{ 0, 8000000, 4, KD_ERR_HOLE, "" }, /* names without end */
		{ 8, 0x1234, 8, KD_ERR_FORMAT, "no rule" },
		{ 0x1010 + 0x300 + 2, 0xffff, 2, KD_ERR_FORMAT, "token 1 lies at 65535" },
	};
	struct kallsyms *kallsyms;
	struct opened opened;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		machine_init(&opened.machine, 4);
		machine_kallsyms(&opened.machine, symbol, 1, RULE_BASE_RELATIVE);
		machine_put(&opened.machine, KALLSYMS_AT - STEXT + STEXT_PHYS + cases[i].at, cases[i].value,
			    cases[i].size);
		assert_no_error(open_machine(&opened));
		assert_error(kallsyms_open(&opened.space, &kallsyms), cases[i].code, cases[i].text);
		close_machine(&opened);
		machine_release(&opened.machine);
	}
	/* More names than there is room before the next table. */
	machine_init(&opened.machine, 4);
	machine_kallsyms(&opened.machine, symbol, 1, RULE_BASE_RELATIVE);
	machine_put(&opened.machine, KALLSYMS_AT - STEXT + STEXT_PHYS, 8000000, 4);
	machine_forget(&opened.machine, "SYMBOL(kallsyms_relative_base)");
	machine_info(&opened.machine, "SYMBOL(kallsyms_relative_base)=%lx\n", KALLSYMS_AT + 0x3000);
	assert_no_error(open_machine(&opened));
	assert_error(kallsyms_open(&opened.space, &kallsyms), KD_ERR_FORMAT, "the names of 8000000 symbols");
	close_machine(&opened);
	machine_release(&opened.machine);
	/* Nothing that is known of both sides; nothing at all. */
	machine_init(&opened.machine, 4);
	machine_kallsyms(&opened.machine, other, 1, RULE_BASE_RELATIVE);
	assert_no_error(open_machine(&opened));
	assert_error(kallsyms_open(&opened.space, &kallsyms), KD_ERR_FORMAT, "no rule");
	close_machine(&opened);
	machine_forget(&opened.machine, "SYMBOL(kallsyms_names)");
	assert_no_error(open_machine(&opened));
	assert_error(kallsyms_open(&opened.space, &kallsyms), KD_ERR_NOT_FOUND, "VMCOREINFO does not say");
	close_machine(&opened);
	machine_release(&opened.machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kallsyms),
		cmocka_unit_test(test_kallsyms_hostile),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
