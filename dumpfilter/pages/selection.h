/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Which pages a dump has, and which of them are worth writing before the others. */
#ifndef DUMPFILTER_PAGES_SELECTION_H
#define DUMPFILTER_PAGES_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/kernel/mem_map.h"
#include "dumpfilter/pages/memory_plan.h"
#include "dumpfilter/pages/page_class.h"
#include "dumpfilter/pages/page_filter.h"
#include "dumpfilter/pages/page_order.h"
#include "dumpfilter/pages/pfn_bitmap.h"
#include "dumpfilter/pages/vital.h"

/** The memory whose pages are decided about, and the needs of the output. Pointers are borrowed. */
struct selection_request {
	struct address_space *space;    /* after address_space_init(), whatever came of it */
	const struct kd_error *problem; /* why it cannot be read; NULL: it can */
	const struct kd_log *log;       /* may be NULL */
	unsigned int level;             /* dump level */
	bool strict_compat;             /* drop partial tail pages of a segment */
	bool unordered;                 /* no page is worth writing before others */
	bool whole;                     /* all pages must be known at once, since the format has no windows */
	uint64_t window_pages;          /* page frames of a window, at most; 0: as many as fit */
	unsigned int gap_min;           /* shorter runs of excluded pages are kept, as far as they can be read */
	unsigned int run_memory;        /* bytes that the output needs for each run of kept pages */
};

/** A record of each window. */
struct selection_window {
	uint64_t kept;               /* pages */
	uint64_t phase[PHASE_COUNT]; /* of these; only in cycles */
	uint64_t sum;                /* of which pages they are and when they are written */
	struct page_run reaches_in;  /* what the struct pages before it say about its first pages */
};

/** Pages are decided about in windows of page frames, one after the other: of one window there are bitmaps at a time.
 * If it has all page frames, this is done once. Otherwise (in cycles) windows are loaded again whenever their pages are
 *  written, and what is the same each time is in their records. */
struct selection {
	/* For the window that was loaded last. */
	struct pfn_bitmap kept;
	struct page_order order;
	/* For the whole machine. */
	uint64_t end_pfn;
	uint64_t pages;        /* that are kept */
	uint64_t window_pages; /* page frames of each window, but for the last */
	size_t window_count;
	struct selection_window *window;
	uint64_t found[PAGE_CLASS_COUNT]; /* pages per class, dropped or not; none of PAGE_ZERO */
	bool unfiltered;                  /* the rules did not fit this kernel: everything is kept */
	/* How it is done. */
	struct selection_request request;
	unsigned int scanners;
	bool filtering;   /* there are rules and struct pages */
	bool poison_only; /* but only poison matters */
	struct page_rules rules;
	struct mem_map map;
	struct vital vital;
	uint64_t vital_hits[VITAL_KINDS]; /* of these frames, that the rules would drop */
	struct kd_ranges walked;          /* in cycles: by request.space, before anything was decided */
};

/** Fills in the needs that depend on the machine and the format (pages, bitmaps, window_bitmaps, window_pages,
 *  tables). */
void selection_needs(const struct selection_request *request, struct memory_needs *ret);

/** Decide about every page. If that fails, all pages are kept, and a warning says why. To be released in any case.
 *  KD_ERR_NOMEM. */
struct kd_error *selection_make(struct selection *selection, const struct selection_request *request,
				const struct memory_plan *plan) MUST_CHECK;
void selection_release(struct selection *selection);
static inline void selection_release_cleanup(struct selection *selection)
{
	selection_release(selection);
}

/** Make the bitmaps those of window @number. KD_ERR_FORMAT: they would not be what they were before, so the vmcore is
 *  not what it was. */
struct kd_error *selection_load(struct selection *selection, size_t number) MUST_CHECK;

#endif
