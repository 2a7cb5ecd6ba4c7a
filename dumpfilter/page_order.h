/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The order in which pages are written: what whoever opens the dump needs before anything else comes first, so that a
 *  dump that was cut off can still be worked with.
 */
#ifndef DUMPFILTER_PAGE_ORDER_H
#define DUMPFILTER_PAGE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "dumpfilter/address_space.h"
#include "dumpfilter/pfn_bitmap.h"

enum page_pass {
	PASS_BASIC,     /* global data, page tables, sections, the stacks of the CPUs, per-CPU areas */
	PASS_SLAB,      /* tasks and most of what the kernel has lists of */
	PASS_READ_ONLY, /* constants of the kernel image; how to unwind stacks */
	PASS_CODE,      /* its code, of which crash wants to see some */
	PASS_OTHERS,
	PASS_LATE, /* what a higher dump level would drop */
	PASS_COUNT
};

/** A page is written in the first pass that has it. */
struct page_order {
	struct pfn_bitmap pass[PASS_COUNT]; /* but of PASS_OTHERS: what no other pass has */
	/* There is so much memory that full bitmaps would cost too much of the capture kernel's (an empty one costs
	 * nothing): only the image and what was walked is written first. */
	bool coarse;
};

/** Without any page in it. False: no memory. To be released in any case. */
bool page_order_init(struct page_order *order, uint64_t end_pfn);
void page_order_release(struct page_order *order);

/** Put the kernel image and what was walked to where they belong. What the mem_map tells (boot memory, slab, what comes
 *  late) was marked before, by the filter. @readable: by virtual addresses. */
void page_order_mark(struct page_order *order, struct address_space *space, bool readable);

/** Pages are written in the order of their addresses. */
void page_order_forget(struct page_order *order);

#endif
