/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The order in which pages are written: the pages that a reader needs first come first, so that a dump that was cut
 *  off can still be opened. */
#ifndef DUMPFILTER_PAGES_PAGE_ORDER_H
#define DUMPFILTER_PAGES_PAGE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ranges.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/pages/landmarks.h"
#include "dumpfilter/pages/pfn_bitmap.h"

enum page_pass {
	PASS_BASIC, /* needed to open the dump, for its log, its list of tasks and the stacks of the CPUs */
	PASS_SLAB,  /* most of what the kernel has lists of */
	PASS_CODE,  /* of the kernel image, which debuggers have from elsewhere */
	PASS_OTHERS,
	PASS_LATE, /* pages that a higher dump level would drop */
	PASS_COUNT
};

/** Passes that are made together over one window of page frames after the other, when there are several. */
enum page_phase {
	PHASE_FRONT, /* all passes before PASS_OTHERS */
	PHASE_OTHERS,
	PHASE_LATE,
	PHASE_COUNT
};
extern const struct page_phase_passes {
	enum page_pass first, end; /* without the last */
} page_phases[PHASE_COUNT];

enum page_order_kind {
	PAGE_ORDER_FINE,
	/* Only the image, modules and what was walked is written first, since full bitmaps would cost too much of the
	 * capture kernel's memory; an empty one costs nothing. */
	PAGE_ORDER_COARSE,
	PAGE_ORDER_NONE, /* pages are written in the order of their addresses */
};

#define PAGE_ORDER_CACHES_MAX 80u

/** A page is written in the first pass that has it. */
struct page_order {
	enum page_order_kind kind;
	struct pfn_bitmap pass[PASS_COUNT]; /* but of PASS_OTHERS: what no other pass has */
	/* Virtual addresses in the image, of whole pages: its symbols and types, which are large, and which debuggers
	 * have from elsewhere; and the code that every task that sleeps is in. Empty where that is not known. */
	struct kd_range symbols, types, scheduler;
	/* Addresses of the slab caches of tasks and of what leads to them; there may be others among them. */
	uint64_t cache[PAGE_ORDER_CACHES_MAX];
	size_t cache_count;
};

/** FINE, unless that would be too much for bitmaps of [0, @end_pfn). */
enum page_order_kind page_order_affordable(uint64_t end_pfn);
/** Bytes of memory that bitmaps of @pages page frames take, with the image and @walked in them. */
uint64_t page_order_memory(enum page_order_kind kind, uint64_t pages, const struct kd_ranges *walked,
			   uint64_t page_size);

/** Makes an order without any page. False: no memory. Release it even then. */
bool page_order_init(struct page_order *order, enum page_order_kind kind, uint64_t end_pfn);
void page_order_release(struct page_order *order);

/** From now on it is of [@start_pfn, @end_pfn), as pfn_bitmap_move(), and without any page in it. */
void page_order_move(struct page_order *order, uint64_t start_pfn, uint64_t end_pfn);
/** What @landmarks and VMCOREINFO do not tell comes later in the dump. */
void page_order_learn(struct page_order *order, struct address_space *space, const struct landmarks *landmarks);

/** Put the kernel image, modules, what was @walked and the code that the CPUs were in to where they belong. What the
 *  mem_map tells (boot memory, slab, what comes late) was marked before, by the filter. @readable: by virtual
 *  addresses. */
void page_order_mark(struct page_order *order, struct address_space *space, bool readable,
		     const struct kd_ranges *walked);

#endif
