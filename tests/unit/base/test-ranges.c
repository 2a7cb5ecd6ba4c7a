/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of addresses. */
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/ranges.h"
#include "tests/unit/testing.h"

static void assert_ranges(const struct kd_ranges *r, const char *expected)
{
	char text[256] = "";
	size_t i;

	for (i = 0; i < r->count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "[%" PRIx64 ",%" PRIx64 ")",
			 r->range[i].start, r->range[i].end);
	assert_string_equal(text, expected);
}

static void test_ranges_arithmetic(void **state)
{
	_cleanup_(kd_ranges_free) struct kd_ranges r = { 0 }, other = { 0 }, both = { 0 };

	assert_true(kd_ranges_add(&r, 0x30, 0x40));
	assert_true(kd_ranges_add(&r, 0x10, 0x20));
	assert_true(kd_ranges_add(&r, 0x50, 0x50));
	assert_ranges(&r, "[10,20)[30,40)");
	assert_true(kd_ranges_add(&r, 0x20, 0x30)); /* touching on both sides */
	assert_ranges(&r, "[10,40)");
	assert_true(kd_ranges_subtract(&r, 0x18, 0x20));
	assert_ranges(&r, "[10,18)[20,40)");
	assert_true(kd_ranges_subtract(&r, 0x18, 0x20)); /* already gone; touches both */
	assert_ranges(&r, "[10,18)[20,40)");
	assert_true(kd_ranges_subtract(&r, 0, 0x12));
	assert_true(kd_ranges_subtract(&r, 0x3f, UINT64_MAX));
	assert_ranges(&r, "[12,18)[20,3f)");
	assert_true(kd_ranges_contain(&r, 0x20, 0x3f));
	assert_false(kd_ranges_contain(&r, 0x17, 0x21));
	assert_false(kd_ranges_contain(&r, 0x20, 0x40));
	assert_int_equal(kd_ranges_total(&r), 6 + 0x1f);

	assert_true(kd_ranges_add(&other, 0x14, 0x24));
	assert_true(kd_ranges_intersect(&r, &other, &both));
	assert_ranges(&both, "[14,18)[20,24)");
	assert_true(kd_ranges_subtract_all(&r, &other));
	assert_ranges(&r, "[12,14)[24,3f)");
	assert_true(kd_ranges_clip(&r, 0x13, 0x30));
	assert_ranges(&r, "[13,14)[24,30)");
}

/* Compare every operation with a bitmap that does the same one bit at a time. */
static void test_ranges_against_bitmap(void **state)
{
	_cleanup_(kd_ranges_free) struct kd_ranges r = { 0 };
	bool bit[64] = { false };
	uint32_t seed = 1;
	int step;

	for (step = 0; step < 20000; step++) {
		unsigned int a, b, i, count = 0;
		bool add;

		seed = seed * 1664525 + 1013904223;
		a = seed >> 26;
		b = seed >> 20 & 63;
		add = seed >> 19 & 1;
		if (add)
			assert_true(kd_ranges_add(&r, a, b));
		else
			assert_true(kd_ranges_subtract(&r, a, b));
		for (i = a; i < b; i++)
			bit[i] = add;
		for (i = 0; i < 64; i++) {
			assert_int_equal(kd_ranges_contain(&r, i, i + 1), bit[i]);
			count += bit[i] && (i == 0 || !bit[i - 1]);
		}
		assert_int_equal(r.count, count);
	}
}

static void test_ranges_first_above(void **state)
{
	_cleanup_(kd_ranges_free) struct kd_ranges ranges = { 0 };

	assert_int_equal(kd_ranges_first_above(&ranges, 0), 0);
	assert_true(kd_ranges_add(&ranges, 10, 20) && kd_ranges_add(&ranges, 30, UINT64_MAX));
	assert_int_equal(kd_ranges_first_above(&ranges, 0), 0);
	assert_int_equal(kd_ranges_first_above(&ranges, 19), 0);
	assert_int_equal(kd_ranges_first_above(&ranges, 20), 1);
	assert_int_equal(kd_ranges_first_above(&ranges, UINT64_MAX - 1), 1);
	assert_int_equal(kd_ranges_first_above(&ranges, UINT64_MAX), 2);
}

static void test_ranges_find(void **state)
{
	_cleanup_(kd_ranges_free) struct kd_ranges r = { 0 };
	uint64_t at;

	assert_true(kd_ranges_add(&r, 0x1000, 0x3000));
	assert_true(kd_ranges_add(&r, 0x8800, 0x10000));
	assert_true(kd_ranges_find(&r, 0x1000, 0x1000, 0, UINT64_MAX, false, &at) && at == 0x1000);
	assert_true(kd_ranges_find(&r, 0x1000, 0x1000, 0x2800, UINT64_MAX, false, &at) && at == 0x9000);
	assert_true(kd_ranges_find(&r, 0x1000, 0x1000, 0, UINT64_MAX, true, &at) && at == 0xf000);
	assert_true(kd_ranges_find(&r, 0x1001, 0x1000, 0, 0xf800, true, &at) && at == 0xe000);
	assert_true(kd_ranges_find(&r, 0x2000, 0x1000, 0, 0x8000, true, &at) && at == 0x1000);
	assert_false(kd_ranges_find(&r, 0x7000, 0x8000, 0, UINT64_MAX, false, &at));
	assert_false(kd_ranges_find(&r, 0x10000, 1, 0, UINT64_MAX, true, &at));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges_arithmetic),
		cmocka_unit_test(test_ranges_against_bitmap),
		cmocka_unit_test(test_ranges_first_above),
		cmocka_unit_test(test_ranges_find),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
