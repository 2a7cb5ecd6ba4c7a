/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page classes: a row is a struct page, and the one behind it, of some kernel. */
#include "base/array.h"
#include "dumpfilter/kernel/vmcoreinfo.h"
#include "dumpfilter/pages/page_class.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

#define HEAD       (UINT64_C(1) << 6)
#define PAGE_VADDR UINT64_C(0xffffea0000010000)
#define TAIL_OF    (PAGE_VADDR | 1)

#define LAYOUT                                                                                                         \
	"SIZE(page)=64\nOFFSET(page.flags)=0\nOFFSET(page.mapping)=24\nOFFSET(page.private)=40\n"                      \
	"OFFSET(page._mapcount)=48\nLENGTH(zone.free_area)=11\n"
#define FLAGS                                                                                                          \
	"NUMBER(PG_lru)=4\nNUMBER(PG_private)=13\nNUMBER(PG_swapcache)=10\nNUMBER(PG_swapbacked)=19\n"                 \
	"NUMBER(PG_hwpoison)=23\nNUMBER(PG_head_mask)=64\n"

static const char info_6_4[] = LAYOUT FLAGS
	"OFFSET(page.compound_head)=8\nNUMBER(PG_slab)=9\nOFFSET(folio._folio_dtor)=80\n"
	"OFFSET(folio._folio_order)=81\nNUMBER(HUGETLB_PAGE_DTOR)=2\nNUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\n"
	"NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257\n";
static const char info_6_6[] = LAYOUT FLAGS
	"OFFSET(page.compound_head)=8\nNUMBER(PG_slab)=9\nNUMBER(PG_hugetlb)=8\n"
	"NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\nNUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257\n";
static const char info_6_9[] = LAYOUT FLAGS
	"OFFSET(page.compound_head)=8\nNUMBER(PG_slab)=9\nNUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-2049\n"
	"NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\nNUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257\n";
static const char info_6_11[] = LAYOUT FLAGS
	"OFFSET(page.compound_head)=8\nNUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-67108865\n"
	"NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-33554433\nNUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-1073741825\n"
	"NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-536870913\n";
#define TYPES_6_12                                                                                                     \
	"NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-201326592\nNUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376\n"                \
	"NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456\nNUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-251658240\n"
static const char info_6_12[] = LAYOUT FLAGS "OFFSET(page.compound_head)=8\n" TYPES_6_12;
static const char info_7_1[] = LAYOUT FLAGS "OFFSET(page.compound_info)=8\n" TYPES_6_12
					    "NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)=-150994944\n";
/* No rule for slab: anonymous pages cannot be told from it. */
static const char info_no_slab[] = LAYOUT FLAGS "OFFSET(page.compound_head)=8\n";
/* The flag of swap cache means something else on pages that are not swap-backed. */
static const char info_no_swapbacked[] = LAYOUT
	"OFFSET(page.compound_head)=8\nNUMBER(PG_slab)=9\nNUMBER(PG_lru)=4\nNUMBER(PG_private)=13\n"
	"NUMBER(PG_swapcache)=10\n";

struct page_case {
	const char *what;
	const char *info;
	uint64_t pfn;
	uint64_t flags, mapping;
	uint32_t mapcount;
	uint64_t private_data, word; /* word: compound_head */
	struct {
		uint64_t flags, word;
		uint8_t dtor, order; /* to 6.5 */
	} next;
	enum page_class class;
	uint64_t count;
};

static const struct page_case page_cases[] = {
	{ "kernel page", info_6_1, 512, 0, 0, UNMAPPED, .class = PAGE_KEEP, .count = 1 },
	{ "uninitialised", info_6_1, 512, ~0ull, ~0ull, UNMAPPED, ~0ull, ~0ull, .class = PAGE_KEEP, .count = 1 },
	{ "tail", info_6_1, 512, LRU, 0, UNMAPPED, 0, TAIL_OF, .class = PAGE_KEEP, .count = 1 },
	{ "cache", info_6_1, 512, LRU, 0xffff888000001000, 0, .class = PAGE_CACHE, .count = 1 },
	{ "private cache", info_6_1, 512, LRU | PRIVATE, 0xffff888000001000, 0, .class = PAGE_CACHE_PRIVATE,
	  .count = 1 },
	{ "swap cache", info_6_1, 512, SWAPCACHE | SWAPBACKED, 0x1000, 0, .class = PAGE_CACHE, .count = 1 },
	{ "owner's flag that is not swap cache", info_6_1, 512, SWAPCACHE, 0x1000, 0, .class = PAGE_KEEP, .count = 1 },
	{ "swap cache or not", info_no_swapbacked, 512, SWAPCACHE, 0x1000, 0, .class = PAGE_KEEP, .count = 1 },
	{ "anonymous", info_6_1, 512, LRU | SWAPBACKED, 0xffff888000001001, 0, .class = PAGE_USER, .count = 1 },
	{ "KSM", info_6_1, 512, LRU, 0xffff888000001003, 0, .class = PAGE_USER, .count = 1 },
	{ "movable", info_6_1, 512, 0, 0xffff888000001002, 0, .class = PAGE_KEEP, .count = 1 },
	{ "slab", info_6_1, 512, SLAB, 1, 0, .class = PAGE_KEEP, .count = 1 },
	{ "slab unknown", info_no_slab, 512, SLAB, 1, 0, .class = PAGE_KEEP, .count = 1 },
	{ "page table with odd owner", info_6_1, 512, 0, 1, (uint32_t)-513, .class = PAGE_KEEP, .count = 1 },
	{ "free, order 3", info_6_1, 512, 0, 0, (uint32_t)-129, 3, .class = PAGE_FREE, .count = 8 },
	{ "free, order 10", info_6_1, 1024, 0, 0, (uint32_t)-129, 10, .class = PAGE_FREE, .count = 1024 },
	{ "free, impossible order", info_6_1, 512, 0, 0, (uint32_t)-129, 11, .class = PAGE_KEEP, .count = 1 },
	{ "free, not aligned to the largest block", info_6_1, 512, 0, 0, (uint32_t)-129, 10, .class = PAGE_KEEP,
	  .count = 1 },
	{ "free, not aligned", info_6_1, 513, 0, 0, (uint32_t)-129, 1, .class = PAGE_KEEP, .count = 1 },
	{ "free, not aligned, but a page", info_6_1, 513, 0, 0, (uint32_t)-129, 0, .class = PAGE_FREE, .count = 1 },
	{ "free, order of 2^64 pages", info_6_1, 0, 0, 0, (uint32_t)-129, 64, .class = PAGE_KEEP, .count = 1 },
	{ "offline", info_6_1, 512, 0, 0, (uint32_t)-257, .class = PAGE_OFFLINE, .count = 1 },
	{ "THP", info_6_1, 512, HEAD_6_1 | LRU | SWAPBACKED, 1, UNMAPPED, 0, 0, { 0, TAIL_OF, 1, 9 }, PAGE_USER, 512 },
	{ "THP, misaligned", info_6_1, 513, HEAD_6_1 | LRU, 1, UNMAPPED, 0, 0, { 0, TAIL_OF, 1, 9 }, PAGE_USER, 1 },
	{ "impossible order", info_6_1, 0, HEAD_6_1 | LRU, 1, UNMAPPED, 0, 0, { 0, TAIL_OF, 1, 200 }, PAGE_USER, 1 },
	{ "hugetlb", info_6_1, 512, HEAD_6_1, 0, UNMAPPED, 0, 0, { 0, TAIL_OF, 2, 9 }, PAGE_USER, 512 },
	{ "poisoned hugetlb",
	  info_6_1,
	  512,
	  HEAD_6_1 | HWPOISON,
	  0,
	  UNMAPPED,
	  0,
	  0,
	  { 0, TAIL_OF, 2, 9 },
	  PAGE_HWPOISON,
	  512 },
	{ "large folio of a file",
	  info_6_1,
	  16,
	  HEAD_6_1 | LRU,
	  0x1000,
	  UNMAPPED,
	  0,
	  0,
	  { 0, TAIL_OF, 1, 4 },
	  PAGE_CACHE,
	  16 },
	{ "compound of the kernel", info_6_1, 16, HEAD_6_1, 0, UNMAPPED, 0, 0, { 0, TAIL_OF, 1, 2 }, PAGE_KEEP, 4 },
	{ "fake head", info_6_1, 576, HEAD_6_1 | LRU, 1, UNMAPPED, 0, 0, { 0, TAIL_OF + 64, 2, 9 }, PAGE_KEEP, 1 },
	{ "hugetlb", info_6_4, 512, HEAD, 0, UNMAPPED, 0, 0, { 0, TAIL_OF, 2, 9 }, PAGE_USER, 512 },
	{ "other compound", info_6_4, 512, HEAD, 0, UNMAPPED, 0, 0, { 0, TAIL_OF, 1, 9 }, PAGE_KEEP, 512 },
	{ "hugetlb", info_6_6, 512, HEAD, 0, UNMAPPED, 0, 0, { 0x109, TAIL_OF, 0, 0 }, PAGE_USER, 512 },
	{ "THP", info_6_6, 512, HEAD | LRU, 1, UNMAPPED, 0, 0, { 0x209, TAIL_OF, 0, 0 }, PAGE_USER, 512 },
	{ "other compound", info_6_6, 512, HEAD, 0, UNMAPPED, 0, 0, { 0x209, TAIL_OF, 0, 0 }, PAGE_KEEP, 512 },
	{ "hugetlb", info_6_9, 512, HEAD, 0, (uint32_t)-2049, 0, 0, { 9, TAIL_OF, 0, 0 }, PAGE_USER, 512 },
	{ "slab", info_6_9, 512, HEAD | SLAB, 1, UNMAPPED, 0, 0, { 3, TAIL_OF, 0, 0 }, PAGE_KEEP, 8 },
	{ "free", info_6_11, 512, 0, 0, 0xbfffffff, 2, .class = PAGE_FREE, .count = 4 },
	{ "slab", info_6_11, 512, 0, 1, 0xfdffffff, .class = PAGE_KEEP, .count = 1 },
	{ "hugetlb", info_6_11, 512, HEAD, 1, 0xfbffffff, 0, 0, { 9, TAIL_OF, 0, 0 }, PAGE_USER, 512 },
	{ "zsmalloc", info_6_11, 512, 0, 1, 0xfeffffff, .class = PAGE_KEEP, .count = 1 },
	{ "free", info_6_12, 512, 0, 0, 0xf0000000, 2, .class = PAGE_FREE, .count = 4 },
	{ "free, owner's bits used", info_6_12, 512, 0, 0, 0xf0000007, 2, .class = PAGE_FREE, .count = 4 },
	{ "slab", info_6_12, 512, HEAD, 1, 0xf5000000, 0, 0, { 3, TAIL_OF, 0, 0 }, PAGE_KEEP, 8 },
	{ "slab, owner's bits used", info_6_12, 512, 0, 1, 0xf5000123, .class = PAGE_KEEP, .count = 1 },
	{ "page table", info_6_12, 512, 0, 1, 0xf2000000, .class = PAGE_KEEP, .count = 1 },
	{ "offline", info_6_12, 512, 0, 0, 0xf1000000, .class = PAGE_OFFLINE, .count = 1 },
	{ "hugetlb", info_6_12, 512, HEAD, 1, 0xf4000000, 0, 0, { 9, TAIL_OF, 0, 0 }, PAGE_USER, 512 },
	{ "anonymous", info_6_12, 512, LRU | SWAPBACKED, 1, 0, .class = PAGE_USER, .count = 1 },
	{ "tail with a mask", info_7_1, 513, 0, 0, UNMAPPED, 0, 0xffffffffffff8001, .class = PAGE_KEEP, .count = 1 },
	{ "THP, tails with a mask",
	  info_7_1,
	  512,
	  HEAD | LRU,
	  1,
	  UNMAPPED,
	  0,
	  0,
	  { 9, 0xffffffffffff8001, 0, 0 },
	  PAGE_USER,
	  512 },
	{ "unaccepted, not aligned", info_7_1, 1536, 0, 0, 0xf7000000, .class = PAGE_KEEP, .count = 1 },
	{ "unaccepted", info_7_1, 1024, 0, 0, 0xf7000000, .class = PAGE_UNACCEPTED, .count = 1024 },
};

static void test_page_classes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(page_cases); i++) {
		const struct page_case *c = &page_cases[i];
		struct vmcoreinfo info = info_of(c->info);
		uint8_t pages[128] = { 0 };
		struct page_verdict verdict;
		struct page_rules rules;

		memcpy(pages, &c->flags, 8);
		memcpy(pages + 8, &c->word, 8);
		memcpy(pages + 24, &c->mapping, 8);
		memcpy(pages + 40, &c->private_data, 8);
		memcpy(pages + 48, &c->mapcount, 4);
		memcpy(pages + 64, &c->next.flags, 8);
		memcpy(pages + 72, &c->next.word, 8);
		pages[80] = c->next.dtor;
		pages[81] = c->next.order;
		assert_no_error(page_rules_init(&rules, &info, NULL));
		verdict = page_classify(&rules, c->pfn, PAGE_VADDR, pages, pages + 64);
		if (verdict.class != c->class || verdict.count != c->count)
			fail_msg("row %zu, %s: %s for %lu pages, expected %s for %lu", i, c->what,
				 page_class_name(verdict.class), verdict.count, page_class_name(c->class), c->count);
	}
}

static void test_levels(void **state)
{
	static const struct {
		enum page_class class;
		unsigned int levels; /* any of these bits drops it */
	} rows[] = {
		{ PAGE_KEEP, 0 }, { PAGE_ZERO, 0 },  { PAGE_CACHE, 2 | 4 },   { PAGE_CACHE_PRIVATE, 4 },
		{ PAGE_USER, 8 }, { PAGE_FREE, 16 }, { PAGE_UNACCEPTED, 16 },
	};

	for (unsigned int level = 0; level < 32; level++) {
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			assert_int_equal(page_class_dropped(rows[i].class, level), !!(rows[i].levels & level));
		assert_true(page_class_dropped(PAGE_HWPOISON, level));
		assert_true(page_class_dropped(PAGE_OFFLINE, level));
	}
}

/* A page that the allocator never had is kept whatever else its struct page says, even if the one that this was learnt
 * from is damaged, too. */
static void test_boot_memory(void **state)
{
	enum { RESERVED = 1 << 12 };
	static const struct {
		uint64_t flags, mapping;
		uint32_t mapcount;
		uint64_t private_data;
		enum page_class class;
		enum page_interest interest;
	} rows[] = {
		{ RESERVED, 0, UNMAPPED, 0, PAGE_KEEP, INTEREST_BOOT },
		{ RESERVED | LRU, 0x1000, 0, 0, PAGE_KEEP, INTEREST_BOOT },
		{ RESERVED | LRU | SWAPBACKED, 0x1001, 0, 0, PAGE_KEEP, INTEREST_BOOT },
		{ RESERVED, 0, (uint32_t)-129, 4, PAGE_KEEP, INTEREST_BOOT },
		{ RESERVED, 0, (uint32_t)-257, 0, PAGE_OFFLINE, INTEREST_NONE }, /* ballooned */
		{ 0, 0, (uint32_t)-129, 4, PAGE_FREE, INTEREST_NONE },
	};
	static const uint64_t learnt_from[] = { RESERVED, RESERVED | LRU, RESERVED | LRU | PRIVATE | HWPOISON };
	struct vmcoreinfo info = info_of(info_6_1);
	struct page_rules rules;

	for (size_t i = 0; i < ARRAY_SIZE(learnt_from); i++) {
		uint8_t page[128] = { 0 };

		assert_no_error(page_rules_init(&rules, &info, NULL));
		memcpy(page, &learnt_from[i], 8);
		page_rules_learn_boot(&rules, page);
		for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
			struct page_verdict verdict;

			memcpy(page, &rows[k].flags, 8);
			memcpy(page + 24, &rows[k].mapping, 8);
			memcpy(page + 40, &rows[k].private_data, 8);
			memcpy(page + 48, &rows[k].mapcount, 4);
			verdict = page_classify(&rules, 512, PAGE_VADDR, page, page + 64);
			assert_int_equal(verdict.class, rows[k].class);
			assert_int_equal(verdict.interest, rows[k].interest);
			assert_int_equal(verdict.count, verdict.class == PAGE_FREE ? 16 : 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page_classes),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_boot_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
