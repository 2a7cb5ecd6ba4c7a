/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The census of memory: classes of pages, and the size of the dump that they make. */
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "kdump/sizing/census.h"

#define F(bit) (UINT64_C(1) << (bit))

static void test_classes(void **state)
{
	static const struct {
		uint64_t flags;
		enum page_class class;
	} cases[] = {
		{ 0, PAGE_KEEP },
		{ F(10), PAGE_FREE },                /* buddy */
		{ F(7) | F(12), PAGE_KEEP },         /* slab, which reads as anonymous since 6.2 */
		{ F(5) | F(12) | F(14), PAGE_USER }, /* LRU, anonymous, swap-backed */
		{ F(26) | F(5), PAGE_KEEP },         /* page table */
		{ F(5) | F(3), PAGE_CACHE },
		{ F(5) | F(35), PAGE_CACHE_PRIVATE },
		{ F(13) | F(14), PAGE_CACHE }, /* swap cache */
		{ F(13), PAGE_KEEP },          /* the bit alone is another owner's */
		{ F(17) | F(15), PAGE_USER },  /* hugetlb */
		{ F(19) | F(10), PAGE_HWPOISON },
		{ F(23), PAGE_OFFLINE },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		enum page_class head = PAGE_CLASS_COUNT;

		assert_int_equal(census_classify(cases[i].flags, &head), cases[i].class);
	}
}

static void test_tails(void **state)
{
	enum page_class head = PAGE_CLASS_COUNT;

	assert_int_equal(census_classify(F(15) | F(5), &head), PAGE_CACHE);
	assert_int_equal(census_classify(F(16), &head), PAGE_CACHE);
	assert_int_equal(census_classify(F(16) | F(19), &head), PAGE_HWPOISON);
	assert_int_equal(census_classify(0, &head), PAGE_KEEP);
	/* A tail whose head was not seen has only its own flags to go by. */
	assert_int_equal(census_classify(F(16) | F(12), &head), PAGE_USER);
}

/* --- a machine ---------------------------------------------------------------------------------------------------- */

/* 16 pages from page 16, of which the last 4 are reserved for the capture: 6 free, 3 user, 3 kernel's. */
static void put_pages(struct tree *m)
{
	static const char iomem[] = "00010000-0001ffff : System RAM\n  0001c000-0001ffff : Crash kernel\n"
				    "fee00000-feefffff : PCI\n";
	uint64_t flags[32] = { 0 };
	size_t i;

	for (i = 16; i < 22; i++)
		flags[i] = F(10);
	for (; i < 25; i++)
		flags[i] = F(12);
	tree_write(m, "/proc/iomem", iomem, strlen(iomem));
	tree_write(m, "/proc/kpageflags", flags, sizeof(flags));
}

static void test_flags(void **state)
{
	struct tree *m = *state;
	struct census census;

	put_pages(m);
	assert_no_error(census_take(&m->root, &census));
	assert_true(census.flags);
	assert_int_equal(census.total, 12);
	assert_int_equal(census.looked_at, 12);
	assert_int_equal(census.pages[PAGE_FREE], 6);
	assert_int_equal(census.pages[PAGE_USER], 3);
	assert_int_equal(census.pages[PAGE_KEEP], 3);
}

/* Free pages without a flag: MemFree tells of them. */
static void test_free_without_flags(void **state)
{
	static const char iomem[] = "00010000-0004ffff : System RAM\n";
	static const struct {
		unsigned int meminfo_pages;
		uint64_t free, keep;
	} cases[] = {
		{ 0, 32, 32 },  /* less than the flags show: they were right when they were read */
		{ 36, 32, 32 }, /* a sixteenth of all may lie in the lists of CPUs */
		{ 37, 37, 27 }, { 64, 64, 0 }, { 1000, 64, 0 }, /* no more than there is */
	};
	uint64_t flags[80] = { 0 };
	struct tree *m = *state;
	size_t i;

	for (i = 16; i < 48; i++)
		flags[i] = F(10);
	tree_write(m, "/proc/iomem", iomem, strlen(iomem));
	tree_write(m, "/proc/kpageflags", flags, sizeof(flags));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct census census;
		char meminfo[64];

		snprintf(meminfo, sizeof(meminfo), "MemTotal: 256 kB\nMemFree: %u kB\n", cases[i].meminfo_pages * 4);
		tree_write(m, "/proc/meminfo", meminfo, strlen(meminfo));
		assert_no_error(census_take(&m->root, &census));
		assert_true(census.flags);
		assert_int_equal(census.total, 64);
		assert_int_equal(census.pages[PAGE_FREE], cases[i].free);
		assert_int_equal(census.pages[PAGE_KEEP], cases[i].keep);
	}
}

static void test_sums(void **state)
{
	static const char iomem
		[] = "00000000-00000000 : System RAM\n",
	   meminfo[] =
		   "MemTotal:       400 kB\nMemFree:        100 kB\nBuffers:         20 kB\nCached:          60 kB\n"
		   "AnonPages:       40 kB\n";
	struct tree *m = *state;
	struct census census;

	tree_write(m, "/proc/iomem", iomem, strlen(iomem));
	tree_write(m, "/proc/meminfo", meminfo, strlen(meminfo));
	assert_no_error(census_take(&m->root, &census));
	assert_false(census.flags);
	assert_int_equal(census.total, 100);
	assert_int_equal(census.pages[PAGE_FREE], 25);
	assert_int_equal(census.pages[PAGE_CACHE_PRIVATE], 20);
	assert_int_equal(census.pages[PAGE_USER], 10);
	assert_int_equal(census.pages[PAGE_KEEP], 45);
}

static void test_estimate(void **state)
{
	static const char report[] = "{ \"collector\": \"dumpfilter -l -d 31\", \"vmcore_size\": 2048,"
				     " \"pages\": { \"page_size\": 4096, \"written\": 2 } }";
	const char *lzo[] = { "dumpfilter", "-l", "-d", "31", NULL }, *all[] = { "cp", NULL },
		   *free_only[] = { "makedumpfile", "-c", "-d", "16", NULL },
		   *usual[] = { "/usr/sbin/dumpfilter", "-d", "31", NULL },
		   *theirs[] = { "makedumpfile", "-d", "31", NULL };
	struct tree *m = *state;
	struct census_dump dump;
	struct census census;

	put_pages(m);
	assert_no_error(census_take(&m->root, &census));
	census_estimate(&m->root, &census, (char *const *)lzo, &dump);
	assert_int_equal(dump.pages, 3);
	assert_int_equal(dump.permil, 450);
	assert_false(dump.measured);
	census_estimate(&m->root, &census, (char *const *)free_only, &dump);
	assert_int_equal(dump.pages, 6);
	assert_int_equal(dump.permil, 350);
	/* Without an option only one of the two compresses. */
	census_estimate(&m->root, &census, (char *const *)usual, &dump);
	assert_int_equal(dump.permil, 450);
	census_estimate(&m->root, &census, (char *const *)theirs, &dump);
	assert_int_equal(dump.permil, 1000);
	census_estimate(&m->root, &census, (char *const *)all, &dump);
	assert_int_equal(dump.pages, 12);
	assert_int_equal(dump.permil, 1000);

	/* The last capture's, when it was by the same collector. */
	tree_write(m, KD_STATEDIR "/last-capture.json", report, strlen(report));
	census_estimate(&m->root, &census, (char *const *)lzo, &dump);
	assert_true(dump.measured);
	assert_int_equal(dump.permil, 250);
	census_estimate(&m->root, &census, (char *const *)free_only, &dump);
	assert_false(dump.measured);
	tree_write(m, KD_STATEDIR "/last-capture.json", "{ \"pages\": 7", 12);
	census_estimate(&m->root, &census, (char *const *)lzo, &dump);
	assert_false(dump.measured);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_tails),
		cmocka_unit_test_setup_teardown(test_flags, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_free_without_flags, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_sums, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_estimate, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
