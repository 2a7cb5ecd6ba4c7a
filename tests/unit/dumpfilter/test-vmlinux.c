/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbols and types from a vmlinux, for which this program stands in. */
#include <elf.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/array.h"
#include "dumpfilter/names/vmlinux.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

struct test_inner {
	char text[3][4];
	union {
		int number;
		struct {
			short half, other;
		};
	};
};
enum test_color { TEST_RED = 3, TEST_DEBT = -7 };
struct test_outer {
	const struct test_inner *pointer;
	struct test_inner inner[2];
	unsigned int bits : 3;
	enum test_color color;
};
struct test_outer test_variable = { .color = TEST_DEBT };

static void test_vmlinux(void **state)
{
	struct machine machine;
	struct kd_error *err;
	struct type_member member;
	struct vmlinux *vmlinux;
	const struct debuginfo *info;
	uint64_t symbol, moved, value;
	struct type type;
	int64_t number;
	type_id id;

	err = vmlinux_open("/proc/self/exe", NULL, &vmlinux);
	if (err) {
		assert_non_null(strstr(err->text, "gives no types"));
		kd_error_destroy(err);
		end_test("no libdw, or nothing built with -g");
	}
	info = vmlinux_debuginfo(vmlinux);
	assert_true(debuginfo_symbol(info, "test_variable", &symbol));
	vmlinux_move(vmlinux, 0x1000);
	assert_true(debuginfo_symbol(info, "test_variable", &moved));
	assert_int_equal(moved, symbol + 0x1000);
	assert_false(debuginfo_symbol(info, "no_such_variable", &symbol));
	assert_string_equal(vmlinux_release(vmlinux), "");

	assert_true(debuginfo_size(info, "test_outer", &value));
	assert_int_equal(value, sizeof(struct test_outer));
	assert_true(debuginfo_member(info, "test_outer", "inner", &member));
	assert_int_equal(member.offset, offsetof(struct test_outer, inner));
	assert_true(info->types->describe(info->types_data, member.type, &type));
	assert_int_equal(type.kind, TYPE_ARRAY);
	assert_int_equal(type.count, 2);
	assert_int_equal(type.size, 2 * sizeof(struct test_inner));
	assert_true(debuginfo_member(info, "test_inner", "other", &member));
	assert_int_equal(member.offset, offsetof(struct test_inner, other));
	/* Each dimension is an array. */
	assert_true(debuginfo_member(info, "test_inner", "text", &member));
	assert_true(info->types->describe(info->types_data, member.type, &type));
	assert_int_equal(type.count, 3);
	assert_int_equal(type.size, 12);
	assert_true(info->types->describe(info->types_data, type.target, &type));
	assert_int_equal(type.kind, TYPE_ARRAY);
	assert_int_equal(type.count, 4);
	assert_true(info->types->describe(info->types_data, type.target, &type));
	assert_true(type.is_char);
	assert_true(debuginfo_member(info, "test_outer", "bits", &member));
	assert_true(member.bit_field);
	assert_true(debuginfo_member(info, "test_outer", "pointer", &member));
	assert_true(info->types->describe(info->types_data, member.type, &type));
	assert_int_equal(type.kind, TYPE_POINTER);
	assert_true(info->types->describe(info->types_data, type.target, &type));
	assert_int_equal(type.kind, TYPE_STRUCT);
	assert_int_equal(type.size, sizeof(struct test_inner));
	assert_true(info->types->find(info->types_data, "test_color", &id));
	assert_true(info->types->enumerator(info->types_data, id, "TEST_DEBT", &number));
	assert_int_equal(number, -7);
	assert_false(info->types->enumerator(info->types_data, id, "TEST_BLUE", &number));
	assert_true(info->types->variable(info->types_data, "test_variable", &id));
	assert_true(info->types->describe(info->types_data, id, &type));
	assert_int_equal(type.size, sizeof(struct test_outer));
	assert_false(info->types->find(info->types_data, "no_such_type", &id));
	vmlinux_close(vmlinux);

	/* No vmlinux. */
	assert_error(vmlinux_open("/nonexistent", NULL, &vmlinux), KD_ERR_OS, "/nonexistent");
	assert_error(vmlinux_open("/dev/null", NULL, &vmlinux), KD_ERR_FORMAT, "not an ELF file");
	machine_init(&machine, 4);
	machine_write(&machine, core);
	machine_release(&machine);
	assert_error(vmlinux_open(core, NULL, &vmlinux), KD_ERR_FORMAT, "no sections");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vmlinux),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
