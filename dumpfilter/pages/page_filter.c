/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/pages/page_filter.h"

static void apply_all(struct page_filter *filter, const struct page_run *run)
{
	if (run->class == PAGE_KEEP) {
		if (run->interest == INTEREST_SLAB && filter->slab)
			pfn_bitmap_set(filter->slab, run->start, run->end);
		if ((run->interest == INTEREST_BOOT || run->interest == INTEREST_TASK) && filter->first)
			pfn_bitmap_set(filter->first, run->start, run->end);
		return;
	}
	filter->pages[run->class] += pfn_bitmap_count(filter->kept, run->start, run->end);
	if (page_class_dropped(run->class, filter->level))
		pfn_bitmap_clear(filter->kept, run->start, run->end);
	else if (filter->late)
		pfn_bitmap_set(filter->late, run->start, run->end);
}

static void apply_to_vital(struct page_filter *filter, const struct page_run *run, enum vital_kind kind)
{
	const struct page_run kept = { run->start, run->end, PAGE_KEEP, INTEREST_BOOT };

	apply_all(filter, &kept);
	if (page_class_dropped(run->class, filter->level))
		filter->vital_hits[kind] += pfn_bitmap_count(filter->kept, run->start, run->end);
}

void page_filter_apply(struct page_filter *filter, const struct page_run *run)
{
	const struct vital *vital = filter->vital;
	struct page_run piece = *run;
	size_t i;

	/* Poison is no matter of what a page is used for: reading it can kill the machine. */
	if (!vital || run->class == PAGE_KEEP || run->class == PAGE_HWPOISON) {
		apply_all(filter, run);
		return;
	}
	for (i = vital_first_above(vital, run->start); i < vital->count && vital->range[i].start < run->end; i++) {
		if (piece.start < vital->range[i].start) {
			piece.end = vital->range[i].start;
			apply_all(filter, &piece);
			piece.start = piece.end;
		}
		piece.end = vital->range[i].end < run->end ? vital->range[i].end : run->end;
		apply_to_vital(filter, &piece, vital->range[i].kind);
		piece.start = piece.end;
	}
	piece.end = run->end;
	if (piece.start < piece.end)
		apply_all(filter, &piece);
}

void page_filter_add_counts(struct page_filter *to, const struct page_filter *from)
{
	for (size_t i = 0; i < PAGE_CLASS_COUNT; i++)
		to->pages[i] += from->pages[i];
	for (size_t i = 0; i < VITAL_KINDS; i++)
		to->vital_hits[i] += from->vital_hits[i];
}

static void add_verdict(struct page_filter *filter, struct page_run *run, uint64_t pfn,
			const struct page_verdict *verdict)
{
	if (pfn != run->end || verdict->class != run->class || verdict->interest != run->interest) {
		page_filter_apply(filter, run);
		*run = (struct page_run){ pfn, pfn, verdict->class, verdict->interest };
	}
	run->end = pfn + verdict->count;
}

/* Before the run that it may be in is carried out, so that it is not counted twice. */
static void drop_poisoned(struct page_filter *filter, uint64_t pfn)
{
	if (!pfn_bitmap_test(filter->kept, pfn))
		return;
	filter->pages[PAGE_HWPOISON]++;
	pfn_bitmap_clear(filter->kept, pfn, pfn + 1);
}

void page_filter_run(struct page_filter *filter, const struct page_rules *rules, struct mem_map *map)
{
	struct page_run run = filter->run; /* not yet carried out here; ends where pages have no verdict yet */
	uint64_t next_pfn = filter->kept->start_pfn, end_pfn = filter->kept->end_pfn;
	struct mem_map_run structs;

	while (mem_map_next(map, &next_pfn, end_pfn, &structs)) {
		const uint8_t *page = structs.pages, *end = page + structs.count * rules->struct_size;
		const uint8_t *last = end; /* structs behind the window are read only as @next */
		uint64_t pfn = structs.pfn;

		if (structs.count > end_pfn - pfn)
			last = page + (end_pfn - pfn) * rules->struct_size;
		for (; page < last; page += rules->struct_size, pfn++) {
			const uint8_t *next = page + rules->struct_size;
			struct page_verdict verdict;

			/* Every frame is asked, also inside of compound and free blocks. */
			if (page_is_poisoned(rules, page))
				drop_poisoned(filter, pfn);
			if (pfn < run.end)
				continue;
			verdict = page_classify(rules, pfn, structs.vaddr + (uint64_t)(page - structs.pages), page,
						next < end ? next : NULL);
			if (filter->poison_only && verdict.class != PAGE_HWPOISON)
				verdict.class = PAGE_KEEP;
			add_verdict(filter, &run, pfn, &verdict);
		}
	}
	page_filter_apply(filter, &run);
	filter->run = run;
}
