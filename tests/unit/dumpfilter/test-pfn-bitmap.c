/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bitmaps of page frames, whole ones and windows. */
#include "base/array.h"
#include "base/ranges.h"
#include "dumpfilter/pages/pfn_bitmap.h"
#include "tests/unit/testing.h"

static void test_pfn_bitmap(void **state)
{
	struct kd_ranges ranges = { 0 };
	struct pfn_bitmap bitmap;

	assert_true(pfn_bitmap_init(&bitmap, 1000));
	assert_int_equal(pfn_bitmap_next(&bitmap, 0), 1000);
	pfn_bitmap_set(&bitmap, 3, 70);
	pfn_bitmap_set(&bitmap, 990, 5000);
	assert_int_equal(pfn_bitmap_count(&bitmap, 0, 1000), 77);
	assert_int_equal(pfn_bitmap_count(&bitmap, 64, 2000), 16);
	pfn_bitmap_clear(&bitmap, 0, 65);
	assert_int_equal(pfn_bitmap_next(&bitmap, 0), 65);
	assert_int_equal(pfn_bitmap_next(&bitmap, 70), 990);
	assert_false(pfn_bitmap_test(&bitmap, 1000));
	assert_true(pfn_bitmap_test(&bitmap, 999));
	pfn_bitmap_clear(&bitmap, 0, 1000);

	assert_true(kd_ranges_add(&ranges, 0x1800, 0x3400));
	pfn_bitmap_set_ranges(&bitmap, &ranges, 4096, false);
	assert_int_equal(pfn_bitmap_count(&bitmap, 1, 4), 3);
	pfn_bitmap_clear(&bitmap, 0, 1000);
	pfn_bitmap_set_ranges(&bitmap, &ranges, 4096, true);
	assert_int_equal(pfn_bitmap_count(&bitmap, 0, 1000), 2);
	assert_false(pfn_bitmap_test(&bitmap, 3));
	pfn_bitmap_release(&bitmap);
	assert_false(pfn_bitmap_init(&bitmap, UINT64_C(1) << 52));
	kd_ranges_free(&ranges);
}

/* A bitmap of [@start, @end) equals that part of the whole machine's bitmap after every operation. */
static void test_pfn_window(void **state)
{
	static const struct {
		uint64_t start, end;
	} windows[] = { { 0, 320 }, { 64, 128 }, { 320, 640 }, { 704, 1000 }, { 960, 1000 } };
	static const uint64_t edges[] = { 0,   1,   63,  64,  65,  100, 128, 319,  320,
					  321, 500, 640, 703, 705, 960, 999, 1000, 3000 };
	struct pfn_bitmap whole, part;

	assert_true(pfn_bitmap_init(&whole, 1000));
	assert_true(pfn_bitmap_init(&part, 320));
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
		uint64_t start = windows[i].start, end = windows[i].end;

		pfn_bitmap_move(&part, start, end);
		assert_int_equal(pfn_bitmap_count(&part, 0, UINT64_MAX), 0);
		for (size_t from = 0; from < ARRAY_SIZE(edges); from++) {
			for (size_t to = from; to < ARRAY_SIZE(edges); to++) {
				bool set = (from + to) % 3;
				uint64_t a = edges[from], b = edges[to];

				(set ? pfn_bitmap_set : pfn_bitmap_clear)(&whole, a, b);
				(set ? pfn_bitmap_set : pfn_bitmap_clear)(&part, a, b);
				assert_int_equal(pfn_bitmap_count(&part, a, b),
						 a < end && b > start ? pfn_bitmap_count(&whole, a > start ? a : start,
											 b < end ? b : end) :
									0);
			}
			for (uint64_t pfn = 0; pfn < 1100; pfn++)
				assert_int_equal(pfn_bitmap_test(&part, pfn),
						 pfn >= start && pfn < end && pfn_bitmap_test(&whole, pfn));
		}
		for (uint64_t word = 0; word < 1000 / 64 + 2; word++)
			assert_int_equal(pfn_bitmap_word(&part, word),
					 word >= start / 64 && word * 64 < end ?
						 pfn_bitmap_word(&whole, word) &
							 (end - word * 64 < 64 ?
								  (UINT64_C(1) << (end - word * 64)) - 1 :
								  ~UINT64_C(0)) :
						 0);
		pfn_bitmap_clear(&part, 0, 1000);
		assert_int_equal(pfn_bitmap_next(&part, 0), end);
		pfn_bitmap_set(&part, end - 2, end + 5);
		assert_int_equal(pfn_bitmap_next(&part, 0), end - 2);
		assert_int_equal(pfn_bitmap_next(&part, end), end);
		pfn_bitmap_expect_few(&part);
		assert_int_equal(pfn_bitmap_count(&part, 0, 1000), 2);
	}
	pfn_bitmap_release(&whole);
	pfn_bitmap_release(&part);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pfn_bitmap),
		cmocka_unit_test(test_pfn_window),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
