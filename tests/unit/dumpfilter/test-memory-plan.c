/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan for a filter with little memory. */
#include "base/array.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/pages/memory_plan.h"
#include "tests/unit/testing.h"

/* The order in which the plan gives up features. */
static void test_plan(void **state)
{
	const uint64_t mib = 1 << 20, pages = UINT64_C(1) << 28; /* 1 TiB: a bitmap has 32 MiB */
	const struct memory_needs needs = {
		.resident = 4 * mib,
		.tables = 2 * mib,
		.worker = 3 * mib,
		.share = 8 * mib,
		.share_least = mib,
		.threads = 4,
		.mapping = 8 * mib,
		.pages = pages,
		.bitmaps = 34 * mib,
		.window_bitmaps = 6,
		.strict = true,
	};
	static const struct {
		uint64_t limit;
		unsigned int threads, scanners, share;
		bool mapping, whole;
		/* clang-format off */
	} rows[] = {
		{ 1024, 4, 4, 8, true, true },
		{ 52, 4, 1, 1, true, true },   /* 4 + 1 + 34 + 4 * 3 + 1; 4 + 1 + 34 + 1 * (8 + 2) */
		{ 51, 3, 1, 2, true, true },
		{ 48, 2, 4, 2, false, true },
		{ 43, 1, 2, 1, false, true },
		{ 42, 1, 1, 0, false, true },
		{ 41, 4, 3, 4, true, false },  /* bitmaps are small now */
		{ 16, 2, 4, 1, false, false },
		{ 14, 1, 3, 1, false, false },
		{ 11, 1, 2, 0, false, false },
	};
	/* clang-format on */
	struct memory_plan plan;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct memory_needs limited = needs;

		limited.limit = rows[i].limit * mib;
		assert_no_error(memory_plan_make(&limited, &plan));
		assert_int_equal(plan.window >= pages, rows[i].whole);
		assert_int_equal(plan.threads, rows[i].threads);
		assert_int_equal(plan.scanners, rows[i].scanners);
		assert_int_equal(plan.share, rows[i].share * mib);
		assert_int_equal(plan.mapping, rows[i].mapping);
		assert_true(plan.memory <= limited.limit);
		assert_int_equal(plan.window % 64, 0);
	}
	struct memory_needs little = needs;
	little.limit = 9 * mib;
	assert_code(memory_plan_make(&little, &plan), KD_ERR_LIMIT);
	/* Nobody has named a limit: the least that can be done. */
	little.strict = false;
	assert_no_error(memory_plan_make(&little, &plan));
	assert_true(plan.window < pages && plan.threads == 1 && !plan.share);
	/* It was too much before. */
	little = needs;
	little.limit = 64 * mib;
	little.peak = 65 * mib;
	assert_code(memory_plan_make(&little, &plan), KD_ERR_LIMIT);
	/* A format that is not made in cycles. */
	little.peak = little.window_bitmaps = 0;
	little.limit = 41 * mib;
	assert_code(memory_plan_make(&little, &plan), KD_ERR_LIMIT);
	/* Windows that were asked for, though there is room. */
	little = needs;
	little.limit = UINT64_MAX;
	little.window_pages = UINT64_C(1) << 20;
	assert_no_error(memory_plan_make(&little, &plan));
	assert_int_equal(plan.window, UINT64_C(1) << 20);
	assert_int_equal(plan.threads, 4);
	little.window_pages = pages;
	assert_no_error(memory_plan_make(&little, &plan));
	assert_int_equal(plan.window, pages);
	/* More than there is. */
	little = needs;
	little.limit = 24 * mib;
	for (uint64_t i = 1; i < UINT64_C(1) << 36; i = i * 3 + 64) {
		little.pages = i;
		little.bitmaps = 6 * (i / 8 + 8);
		assert_no_error(memory_plan_make(&little, &plan));
		assert_true(plan.memory <= little.limit && plan.window > 0);
		assert_true(plan.window == i || plan.window % 64 == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
