/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of the crashed kernel, in BTF; and BTF that lies. */
#include <stddef.h>
#include <stdlib.h>

#include "base/array.h"
#include "dumpfilter/names/btf.h"
#include "tests/unit/dumpfilter/debuginfo-testing.h"
#include "tests/unit/testing.h"

/* struct inner { int a; union { long b; struct { char c[3][4]; }; }; int bits : 3; int : 0; enum color e; };
 * struct outer { struct inner in; inner_t *p; }, with typedefs and qualifiers in between. */
static uint8_t *sample(size_t *size_ret, uint32_t *types_ret, uint32_t *strings_ret)
{
	struct btf_builder b;
	uint32_t integer, character, row, rows, nested, either, color, inner, constant, alias, pointer, huge;

	btf_begin(&b, 0, 0);
	integer = btf_type(&b, "int", KIND_INT, 0, 4);
	btf_words(&b, 32, 0, 0, 1);
	character = btf_type(&b, "char", KIND_INT, 0, 1);
	btf_words(&b, 8, 0, 0, 1);
	row = btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, character, integer, 4, 3);
	rows = btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, row, integer, 3, 3);
	nested = btf_type(&b, NULL, KIND_STRUCT, 1, 12);
	btf_member(&b, "c", rows, 0);
	either = btf_type(&b, NULL, KIND_UNION, 2, 16);
	btf_member(&b, "b", integer, 0);
	btf_member(&b, NULL, nested, 0);
	color = btf_type(&b, "color", KIND_ENUM, 2, 4);
	btf_words(&b, btf_string(&b, "RED"), 7, 0, 2);
	btf_words(&b, btf_string(&b, "DEBT"), (uint32_t)-2, 0, 2);
	btf_type(&b, "inner", KIND_FWD, 0, 0);
	inner = btf_type(&b, "inner", KIND_STRUCT | KIND_FLAG, 4, 32);
	btf_member(&b, "a", integer, 0);
	btf_member(&b, NULL, either, 64);
	btf_member(&b, "bits", integer, 3 << 24 | 192);
	btf_member(&b, "e", color, 224);
	constant = btf_type(&b, NULL, KIND_CONST, 0, inner);
	alias = btf_type(&b, "inner_t", KIND_TYPEDEF, 0, constant);
	pointer = btf_type(&b, NULL, KIND_PTR, 0, alias);
	btf_type(&b, "outer", KIND_STRUCT, 2, 40);
	btf_member(&b, "in", alias, 0);
	btf_member(&b, "p", pointer, 256);
	btf_type(&b, "a_var", KIND_VAR, 0, pointer);
	btf_words(&b, 0, 0, 0, 1);
	huge = btf_type(&b, "huge", KIND_ENUM64, 1, 8);
	btf_words(&b, btf_string(&b, "VAST"), 1, 2, 3);
	assert_int_equal(huge, b.types);
	*types_ret = b.types;
	*strings_ret = b.strings_size;
	return btf_finish(&b, size_ret);
}

static void test_btf(void **state)
{
	uint32_t types, strings, own;
	struct btf_builder split;
	struct btf *btf, *module;
	struct type_member member = { 0 };
	struct type type;
	uint64_t bytes;
	int64_t number;
	type_id id;
	size_t size;
	uint8_t *data = sample(&size, &types, &strings);

	assert_no_error(btf_parse(data, size, NULL, &btf));
	struct debuginfo info = { .types = &btf_types, .types_data = btf };

	assert_true(debuginfo_size(&info, "inner", &bytes));
	assert_int_equal(bytes, 32);
	assert_true(debuginfo_size(&info, "inner_t", &bytes));
	assert_int_equal(bytes, 32);
	assert_false(debuginfo_size(&info, "inn", &bytes));
	assert_true(debuginfo_member(&info, "outer", "in.c", &member));
	assert_int_equal(member.offset, 8);
	assert_false(member.bit_field);
	assert_true(btf_types.describe(btf, member.type, &type));
	assert_int_equal(type.kind, TYPE_ARRAY);
	assert_int_equal(type.count, 3);
	assert_int_equal(type.size, 12);
	assert_true(debuginfo_member(&info, "outer", "in.bits", &member));
	assert_int_equal(member.offset, 24);
	assert_true(member.bit_field);
	assert_true(debuginfo_member(&info, "inner", "e", &member));
	assert_int_equal(member.offset, 28);
	assert_false(member.bit_field);
	assert_true(debuginfo_member(&info, "outer", "p", &member));
	assert_true(btf_types.describe(btf, member.type, &type));
	assert_int_equal(type.kind, TYPE_POINTER);
	assert_int_equal(type.size, 8);
	assert_true(btf_types.describe(btf, type.target, &type));
	assert_int_equal(type.kind, TYPE_STRUCT);
	/* Not through a pointer, not behind a member that is no struct, not at all. */
	assert_false(debuginfo_member(&info, "outer", "p.a", &member));
	assert_false(debuginfo_member(&info, "outer", "in.a.x", &member));
	assert_false(debuginfo_member(&info, "outer", "", &member));
	assert_false(debuginfo_member(&info, "outer", "nothing", &member));
	assert_true(btf_types.find(btf, "color", &id));
	assert_true(btf_types.enumerator(btf, id, "DEBT", &number));
	assert_int_equal(number, -2);
	assert_false(btf_types.enumerator(btf, id, "BLUE", &number));
	assert_true(btf_types.find(btf, "huge", &id));
	assert_true(btf_types.enumerator(btf, id, "VAST", &number));
	assert_int_equal(number, 0x200000001);
	assert_true(btf_types.variable(btf, "a_var", &id));
	assert_true(btf_types.describe(btf, id, &type));
	assert_int_equal(type.kind, TYPE_POINTER);
	assert_false(btf_types.describe(btf, types + 1, &type));

	/* A module's goes on from there, and may hide a name of the kernel's. */
	assert_true(btf_types.find(btf, "inner", &id));
	btf_begin(&split, types, strings);
	own = btf_type(&split, "mine", KIND_STRUCT, 1, 64);
	btf_member(&split, "theirs", (uint32_t)id, 64);
	btf_type(&split, "outer", KIND_STRUCT, 0, 1);
	data = btf_finish(&split, &size);
	assert_no_error(btf_parse(data, size, btf, &module));
	info.types_data = module;
	assert_int_equal(own, types + 1);
	assert_true(debuginfo_member(&info, "mine", "theirs.b", &member));
	assert_int_equal(member.offset, 16);
	assert_true(debuginfo_size(&info, "outer", &bytes));
	assert_int_equal(bytes, 1);
	assert_true(debuginfo_size(&info, "inner_t", &bytes));
	btf_destroy(module);
	btf_destroy(btf);
}

/* Ask every question about types with arbitrary contents. */
static void ask_all(const struct btf *btf, uint32_t types)
{
	static const char *const names[] = { "inner", "outer", "color", "huge", "nothing", "" };
	struct type_member member;
	struct type type;
	int64_t number;
	type_id id;

	for (type_id i = 0; i < types + 2; i++)
		if (btf_types.describe(btf, i, &type)) {
			btf_types.member(btf, i, "c", &member);
			btf_types.enumerator(btf, i, "DEBT", &number);
		}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		btf_types.find(btf, names[i], &id);
	btf_types.variable(btf, "a_var", &id);
}

static void test_btf_hostile(void **state)
{
	uint32_t types, strings;
	struct btf_builder b;
	struct type_member member;
	struct type type;
	struct btf *btf;
	size_t size;
	uint8_t *data = sample(&size, &types, &strings);

	/* Each byte wrong in three ways: an error, or answers. Each length too short: an error. */
	for (size_t i = 0; i < size * 3; i++) {
		uint8_t *copy = malloc(size);

		assert_non_null(copy);
		memcpy(copy, data, size);
		copy[i / 3] = (uint8_t)(i % 3 == 0 ? 0xff : i % 3 == 1 ? copy[i / 3] + 1 : copy[i / 3] ^ 0x80);
		struct kd_error *err = btf_parse(copy, size, NULL, &btf);
		if (err) {
			kd_error_destroy(err);
			continue;
		}
		ask_all(btf, types);
		btf_destroy(btf);
	}
	for (size_t i = 0; i < size; i++) {
		uint8_t *copy = malloc(i + 1);

		assert_non_null(copy);
		memcpy(copy, data, i);
		assert_error(btf_parse(copy, i, NULL, &btf), KD_ERR_FORMAT, "BTF");
	}
	free(data);

	/* A typedef of itself, an array of itself, a struct in itself, twice. */
	btf_begin(&b, 0, 0);
	btf_type(&b, "circle", KIND_TYPEDEF, 0, 1);
	btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, 2, 2, 2, 3);
	btf_type(&b, "russian", KIND_STRUCT, 2, 8);
	btf_member(&b, NULL, 3, 0);
	btf_member(&b, NULL, 3, 0);
	btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, 5, 5, UINT32_MAX, 3);
	btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, 6, 6, UINT32_MAX, 3);
	btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, 3, 3, UINT32_MAX, 3);
	data = btf_finish(&b, &size);
	assert_no_error(btf_parse(data, size, NULL, &btf));
	assert_false(btf_types.describe(btf, 1, &type));
	assert_false(btf_types.describe(btf, 2, &type));
	assert_false(btf_types.member(btf, 3, "x", &member));
	assert_false(btf_types.describe(btf, 4, &type)); /* 2^67 bytes */
	btf_destroy(btf);

	/* A kind from the future has a size that is not known. */
	btf_begin(&b, 0, 0);
	btf_type(&b, "later", 30, 0, 1);
	data = btf_finish(&b, &size);
	assert_error(btf_parse(data, size, NULL, &btf), KD_ERR_UNSUPPORTED, "type 1 is of kind 30");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_btf),
		cmocka_unit_test(test_btf_hostile),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
