/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/page_filter.h"

static void apply(struct page_filter *filter, uint64_t pfn, const struct page_verdict *verdict)
{
	uint64_t end = pfn + verdict->count;

	if (verdict->class == PAGE_KEEP) {
		if (verdict->interest == INTEREST_SLAB && filter->slab)
			pfn_bitmap_set(filter->slab, pfn, end);
		if (verdict->interest == INTEREST_BOOT && filter->boot)
			pfn_bitmap_set(filter->boot, pfn, end);
		return;
	}
	filter->pages[verdict->class] += pfn_bitmap_count(filter->kept, pfn, end);
	if (page_class_dropped(verdict->class, filter->level))
		pfn_bitmap_clear(filter->kept, pfn, end);
	else if (filter->late)
		pfn_bitmap_set(filter->late, pfn, end);
}

/* @block: the class that the page was counted in, as a part of a larger block; PAGE_KEEP if it was not. */
static void drop_poisoned(struct page_filter *filter, uint64_t pfn, enum page_class block)
{
	if (!pfn_bitmap_test(filter->kept, pfn))
		return;
	if (block != PAGE_KEEP)
		filter->pages[block]--;
	filter->pages[PAGE_HWPOISON]++;
	pfn_bitmap_clear(filter->kept, pfn, pfn + 1);
}

void page_filter_run(struct page_filter *filter, const struct page_rules *rules, struct mem_map *map)
{
	struct mem_map_run run;
	uint64_t next_pfn = 0, judged = 0; /* pages below @judged have got their verdict */
	enum page_class block = PAGE_KEEP; /* … which was this */

	while (mem_map_next(map, &next_pfn, &run)) {
		for (uint64_t i = 0; i < run.count; i++) {
			const uint8_t *page = run.pages + i * rules->struct_size;
			uint64_t pfn = run.pfn + i;
			struct page_verdict verdict;

			/* Every frame is asked, also inside of compound and free blocks. */
			if (page_is_poisoned(rules, page))
				drop_poisoned(filter, pfn, pfn < judged ? block : PAGE_KEEP);
			if (pfn < judged)
				continue;
			verdict = page_classify(rules, pfn, run.vaddr + i * rules->struct_size, page,
						i + 1 < run.count ? page + rules->struct_size : NULL);
			if (filter->poison_only && verdict.class != PAGE_HWPOISON)
				verdict.class = PAGE_KEEP;
			judged = pfn + verdict.count;
			block = verdict.class;
			apply(filter, pfn, &verdict);
		}
	}
}
