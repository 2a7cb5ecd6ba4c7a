/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The number of threads, and equal pages. */
#include <sched.h>

#include "base/cleanup.h"
#include "dumpfilter/write/page_share.h"
#include "dumpfilter/write/pipeline.h"
#include "tests/unit/testing.h"

static void test_default_threads(void **state)
{
	unsigned int cpu = (unsigned int)sched_getcpu();
	cpu_set_t all, one;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	assert_in_range(pipeline_default_threads(4096), 1, CPU_COUNT(&all));
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(pipeline_default_threads(4096), 1);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void test_page_share(void **state)
{
	static uint64_t page[512], other[512];
	struct page_place place = { 4096, 100, 1 }, found = { 0 };

	_cleanup_(page_share_destroy) struct page_share *share = page_share_create(sizeof(page), PAGE_SHARE_BYTES_MIN);
	assert_non_null(share);
	page[0] = 1;
	struct page_hash hash = page_share_hash(share, page);
	assert_false(page_share_find(share, hash, &found));
	page_share_add(share, hash, &place);
	assert_true(page_share_find(share, page_share_hash(share, page), &found));
	assert_int_equal(found.offset, 4096);
	/* Any bit, and words that have changed places, make another page of it. */
	for (size_t bit = 0; bit < sizeof(page) * 8; bit += 7) {
		memcpy(other, page, sizeof(page));
		other[bit / 64] ^= UINT64_C(1) << bit % 64;
		assert_false(page_hash_equal(page_share_hash(share, other), hash));
	}
	for (size_t i = 1; i < 512; i++) {
		memset(other, 0, sizeof(other));
		other[i] = 1;
		assert_false(page_hash_equal(page_share_hash(share, other), hash));
	}
	/* What it may have, it takes for a dump with many pages only. */
	assert_int_equal(page_share_bytes(1000, PAGE_SHARE_BYTES_MAX), PAGE_SHARE_BYTES_MIN);
	assert_int_equal(page_share_bytes(1 << 18, PAGE_SHARE_BYTES_MAX), 2 << 20);
	assert_int_equal(page_share_bytes(1 << 28, PAGE_SHARE_BYTES_MAX), PAGE_SHARE_BYTES_MAX);
	assert_int_equal(page_share_bytes(1 << 28, PAGE_SHARE_BYTES_MIN), PAGE_SHARE_BYTES_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_threads),
		cmocka_unit_test(test_page_share),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
