/* SPDX-License-Identifier: GPL-2.0-or-later */
/** One pass over the mem_map, or a part of it: which pages the dump keeps, and which of those are worth writing first
 * or last. */
#ifndef DUMPFILTER_PAGES_PAGE_FILTER_H
#define DUMPFILTER_PAGES_PAGE_FILTER_H

#include <stdint.h>

#include "dumpfilter/kernel/mem_map.h"
#include "dumpfilter/pages/page_class.h"
#include "dumpfilter/pages/pfn_bitmap.h"
#include "dumpfilter/pages/vital.h"

/** Neighbours with one and the same fate, which is looked up and carried out once for all of them. */
struct page_run {
	uint64_t start, end;
	enum page_class class;
	enum page_interest interest;
};

struct page_filter {
	unsigned int level;      /* dump level */
	bool poison_only;        /* clear poisoned frames and nothing else, whatever the level */
	struct pfn_bitmap *kept; /* in: all pages; out: without what the level drops. Its window is what is looked at */
	/* Filled if not NULL: */
	struct pfn_bitmap *first;         /* INTEREST_BOOT, INTEREST_TASK */
	struct pfn_bitmap *slab;          /* INTEREST_SLAB */
	struct pfn_bitmap *late;          /* kept, but of a class that a higher level would drop */
	const struct vital *vital;        /* kept whatever their struct pages say; NULL: none */
	uint64_t vital_hits[VITAL_KINDS]; /* of these, that the level would drop otherwise */
	/* Pages of @kept found per class, dropped or not; those of PAGE_KEEP are not counted. */
	uint64_t pages[PAGE_CLASS_COUNT];
	/* The last verdicts. They may reach behind the window: in that of the window before, out for the one that
	 * follows. */
	struct page_run run;
};

/** Look at all struct pages of @kept's window. */
void page_filter_run(struct page_filter *filter, const struct page_rules *rules, struct mem_map *map);

/** Add to the counts of @to those of @from. */
void page_filter_add_counts(struct page_filter *to, const struct page_filter *from);

/** Carry out what was decided about @run. */
void page_filter_apply(struct page_filter *filter, const struct page_run *run);

#endif
