/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys and values of VMCOREINFO. */
#include "dumpfilter/kernel/vmcoreinfo.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vmcoreinfo),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
