/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/pages/selection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfilter/pages/page_scan.h"

/* Page tables, and where struct pages were found. */
#define TABLES_MEMORY (UINT64_C(128) << 10)
/* Any large odd number. */
#define SUM_FACTOR UINT64_C(0x9e3779b97f4a7c15)

static uint64_t end_pfn_of(const struct address_space *space)
{
	uint64_t page_size = space->page_size, end = vmcore_end_paddr(space->vmcore);

	return end / page_size + (end % page_size != 0);
}

static bool in_cycles(const struct selection *selection)
{
	return selection->window_count > 1;
}

/* In the order of addresses the tables of a stream take few records, which matters to those who read it as it is. */
static enum page_order_kind order_kind(const struct selection_request *request, uint64_t pages, bool cycles)
{
	if (request->unordered)
		return PAGE_ORDER_NONE;
	/* Bitmaps of a window are as small as is wanted. */
	return cycles ? PAGE_ORDER_FINE : page_order_affordable(pages);
}

void selection_needs(const struct selection_request *request, struct memory_needs *ret)
{
	const struct address_space *space = request->space;
	uint64_t pages = end_pfn_of(space), bitmap = pfn_bitmap_memory(pages);

	ret->pages = pages;
	ret->bitmaps = bitmap +
		       page_order_memory(order_kind(request, pages, false), pages, &space->walked, space->page_size);
	ret->window_bitmaps = request->unordered ? 1 :
						   PASS_COUNT; /* that of kept pages, and one for each pass but one */
	ret->window_pages = request->window_pages;
	ret->tables = MEM_MAP_BUFFER + TABLES_MEMORY;
	/* fill_gaps() takes a bitmap; and then there are no more runs of pages than this, but for holes in the memory.
	 */
	if (request->gap_min)
		ret->bitmaps += bitmap + pages / request->gap_min * request->run_memory;
	if (request->whole)
		ret->window_bitmaps = 0;
}

static struct kd_error *selection_init(struct selection *selection, const struct selection_request *request,
				       const struct memory_plan *plan)
{
	uint64_t pages = end_pfn_of(request->space), window_pages = plan->window;

	selection->request = *request;
	selection->scanners = plan->scanners;
	selection->end_pfn = pages;
	selection->window_pages = window_pages;
	selection->window_count = pages / window_pages + (pages % window_pages != 0);
	/* In windows a larger machine would fit into memory, but the run would not end. */
	if (pages <= PFN_BITMAP_MAX)
		selection->window = calloc(selection->window_count, sizeof(*selection->window));
	if (selection->window && in_cycles(selection))
		pages = window_pages;
	if (!selection->window || !pfn_bitmap_init(&selection->kept, pages) ||
	    !page_order_init(&selection->order, order_kind(request, pages, in_cycles(selection)), pages))
		return kd_error_create(KD_ERR_NOMEM, "%s: no memory for the bitmaps of %lu page frames",
				       vmcore_path(request->space->vmcore), pages);
	return NULL;
}

void selection_release(struct selection *selection)
{
	pfn_bitmap_release(&selection->kept);
	page_order_release(&selection->order);
	mem_map_release(&selection->map);
	kd_ranges_free(&selection->walked);
	vital_release(&selection->vital);
	free(selection->window);
	selection->window = NULL;
}

/* --- one window --------------------------------------------------------------------------------------------------- */

/* All pages that the file has. */
static void select_all(struct selection *selection)
{
	const struct address_space *space = selection->request.space;

	pfn_bitmap_set_ranges(&selection->kept, vmcore_contents(space->vmcore), space->page_size,
			      selection->request.strict_compat);
}

/* In cycles without what was walked later, for the kernel's name, say: the same must come out each time. */
static const struct kd_ranges *walked_frames(const struct selection *selection)
{
	return in_cycles(selection) ? &selection->walked : &selection->request.space->walked;
}

/* Run the rules over this window's part of the mem_map. @sums: what is found is added. */
static void filter(struct selection *selection, size_t number, bool poison_only, struct page_filter *sums)
{
	struct selection_window *window = &selection->window[number];
	uint64_t page_size = selection->request.space->page_size;
	const struct kd_ranges *frames = &selection->map.frames;
	struct pfn_bitmap *order = selection->order.kind == PAGE_ORDER_FINE && !poison_only ? selection->order.pass :
											      NULL;
	struct page_filter pass = {
		.level = selection->request.level,
		.poison_only = poison_only,
		.kept = &selection->kept,
		.first = order ? &order[PASS_BASIC] : NULL,
		.slab = order ? &order[PASS_SLAB] : NULL,
		.late = order ? &order[PASS_LATE] : NULL,
		.vital = &selection->vital,
		.run = window->reaches_in,
	};

	page_scan(&pass, &selection->rules, &selection->map, PAGE_SCAN_PART, selection->scanners);
	if (number + 1 < selection->window_count)
		window[1].reaches_in = pass.run;
	page_filter_add_counts(sums, &pass);
	for (size_t i = 0; i < frames->count && !poison_only; i++)
		pfn_bitmap_clear(&selection->order.pass[PASS_BASIC], frames->range[i].start / page_size,
				 frames->range[i].end / page_size);
}

static void mark_order(struct selection *selection)
{
	page_order_mark(&selection->order, selection->request.space, !selection->request.problem,
			walked_frames(selection));
}

/* Enters window @number with all of its pages kept. */
static void enter_window(struct selection *selection, size_t number)
{
	uint64_t start = number * selection->window_pages, end = start + selection->window_pages;

	if (in_cycles(selection)) {
		if (end > selection->end_pfn)
			end = selection->end_pfn;
		pfn_bitmap_move(&selection->kept, start, end);
		page_order_move(&selection->order, start, end);
	}
	select_all(selection);
}

/* Counts the pages that were decided about, by phase, and makes a sum by which the same decision is recognised. */
static void take_stock(const struct selection *selection, struct selection_window *ret)
{
	const struct pfn_bitmap *kept = &selection->kept, *pass = selection->order.pass;
	struct selection_window stock = { .sum = kept->start_pfn, .reaches_in = ret->reaches_in };

	for (uint64_t i = kept->start_pfn / 64; i < kept->end_pfn / 64 + 1; i++) {
		uint64_t pages = pfn_bitmap_word(kept, i), front = 0, late, word;

		if (!pages)
			continue;
		for (unsigned int j = 0; j < PASS_OTHERS; j++) {
			word = pages & pfn_bitmap_word(&pass[j], i);
			front |= word;
			stock.sum = (stock.sum ^ word) * SUM_FACTOR;
		}
		late = pages & ~front & pfn_bitmap_word(&pass[PASS_LATE], i);
		stock.sum = (stock.sum ^ late) * SUM_FACTOR;
		stock.sum = (stock.sum ^ pages) * SUM_FACTOR;
		stock.sum ^= stock.sum >> 32;
		stock.kept += (uint64_t)__builtin_popcountll(pages);
		stock.phase[PHASE_FRONT] += (uint64_t)__builtin_popcountll(front);
		stock.phase[PHASE_LATE] += (uint64_t)__builtin_popcountll(late);
		stock.phase[PHASE_OTHERS] += (uint64_t)__builtin_popcountll(pages & ~front & ~late);
	}
	*ret = stock;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

/* The kernel image was there before the page allocator. */
static void learn_boot_flags(struct selection *selection)
{
	struct address_space *space = selection->request.space;
	uint64_t stext, paddr, size, pfn;
	struct mem_map_run run;

	if (!vmcoreinfo_symbol(space->info, "_stext", &stext))
		return;
	_cleanup_(kd_error_destroy) struct kd_error *err = address_space_translate(space, stext, &paddr, &size);
	if (err)
		return;
	pfn = paddr / space->page_size;
	if (mem_map_next(&selection->map, &pfn, selection->end_pfn, &run) && run.pfn == paddr / space->page_size)
		page_rules_learn_boot(&selection->rules, run.pages);
}

static struct kd_error *prepare_rules(struct selection *selection)
{
	struct address_space *space = selection->request.space;
	struct landmarks landmarks;
	struct kd_error *err = page_rules_init(&selection->rules, space->info, selection->request.log);

	landmarks_find(space, &landmarks);
	if (!err && selection->order.kind != PAGE_ORDER_NONE)
		page_order_learn(&selection->order, space, &landmarks);
	page_rules_set_caches(&selection->rules, selection->order.cache, selection->order.cache_count);
	if (!err)
		err = mem_map_init(&selection->map, space, selection->end_pfn);
	if (err)
		return err;
	learn_boot_flags(selection);
	/* The tables that lead to the struct pages, and the struct pages' own frames, must be known before the first
	 * page is decided about: they may lie anywhere. */
	mem_map_find_frames(&selection->map);
	err = vital_find(space, &selection->map.frames, &landmarks, &selection->vital);
	for (size_t i = 0; i < VITAL_KINDS; i++)
		kd_debug(selection->request.log, "%lu page frames of %s are kept in any case",
			 selection->vital.pages[i], vital_kind_words(i));
	selection->filtering = !err;
	return err;
}

/* Keep short runs of excluded pages, if the format wants that: none of which a page is not in the vmcore, or poisoned.
 */
static struct kd_error *fill_gaps(struct selection *selection)
{
	const struct address_space *space = selection->request.space;
	_cleanup_(pfn_bitmap_release) struct pfn_bitmap readable = { 0 };
	struct page_filter pass = { .poison_only = true, .kept = &readable };
	unsigned int gap_min = selection->request.gap_min;
	uint64_t start, end = 0;

	if (!gap_min)
		return NULL;
	if (!pfn_bitmap_init(&readable, selection->end_pfn))
		return kd_error_nomem();
	pfn_bitmap_set_ranges(&readable, vmcore_contents(space->vmcore), space->page_size,
			      selection->request.strict_compat);
	page_filter_run(&pass, &selection->rules, &selection->map);
	for (uint64_t pfn = pfn_bitmap_next(&selection->kept, 0); pfn < selection->end_pfn;
	     pfn = pfn_bitmap_next(&selection->kept, pfn + 1)) {
		start = end;
		end = pfn + 1;
		if (pfn > start && start > 0 && pfn - start < gap_min &&
		    pfn_bitmap_count(&readable, start, pfn) == pfn - start)
			pfn_bitmap_set(&selection->kept, start, pfn);
	}
	return NULL;
}

/* A kind of vital frames most of which the rules would drop; VITAL_KINDS: there is none. A crash may have damaged a few
 * struct pages, but not most of those of a kind. */
static enum vital_kind find_misfit(const struct selection *selection)
{
	unsigned int kind = 0;

	while (kind < VITAL_KINDS &&
	       (!vital_kind_is_telling(kind) || selection->vital_hits[kind] <= selection->vital.pages[kind] / 2))
		kind++;
	return kind;
}

/* Run the rules over the mem_map, window by window. @pages: those found, by class. */
static void decide(struct selection *selection, bool poison_only, uint64_t *pages)
{
	struct page_filter sums = { 0 };
	uint64_t others = 0;

	selection->pages = 0;
	for (size_t i = 0; i < selection->window_count; i++) {
		struct selection_window *window = &selection->window[i];

		enter_window(selection, i);
		sums.pages[PAGE_KEEP] += pfn_bitmap_count(&selection->kept, 0, UINT64_MAX);
		if (selection->filtering)
			filter(selection, i, poison_only, &sums);
		mark_order(selection);
		if (in_cycles(selection))
			take_stock(selection, window);
		else
			window->kept = pfn_bitmap_count(&selection->kept, 0, UINT64_MAX);
		selection->pages += window->kept;
	}
	for (size_t i = PAGE_CACHE; i < PAGE_CLASS_COUNT; i++)
		others += sums.pages[i];
	sums.pages[PAGE_KEEP] -= others;
	memcpy(pages, sums.pages, sizeof(sums.pages));
	memcpy(selection->vital_hits, sums.vital_hits, sizeof(sums.vital_hits));
}

/* Poisoned frames are left out even if the other rules do not fit, because reading them can kill the machine. */
static struct kd_error *decide_or_keep_all(struct selection *selection, uint64_t *pages)
{
	enum vital_kind misfit;

	decide(selection, false, pages);
	misfit = find_misfit(selection);
	if (misfit == VITAL_KINDS)
		return selection->filtering ? fill_gaps(selection) : NULL;
	/* Then none of their verdicts is worth anything. */
	selection->poison_only = true;
	decide(selection, true, pages);
	return kd_error_create(KD_ERR_FORMAT, "the rules do not fit this kernel: they would drop most of %s",
			       vital_kind_words(misfit));
}

static void warn_damaged(const struct selection *selection)
{
	uint64_t hits = 0;

	for (size_t i = 0; i < VITAL_KINDS; i++)
		hits += selection->vital_hits[i];
	if (hits)
		kd_warn(selection->request.log,
			"struct pages are damaged: they say that %lu page frames of the kernel itself are free or hold data of "
			"programs; these frames are kept",
			hits);
}

struct kd_error *selection_make(struct selection *selection, const struct selection_request *request,
				const struct memory_plan *plan)
{
	_cleanup_(kd_error_destroy) struct kd_error *problem = NULL, *unfit = NULL;
	const struct kd_error *cause = request->problem;
	struct kd_error *err = selection_init(selection, request, plan);

	if (err)
		return err;
	if (!cause)
		cause = problem = prepare_rules(selection);
	if (in_cycles(selection) && !kd_ranges_copy(&request->space->walked, &selection->walked))
		return kd_error_nomem();
	unfit = decide_or_keep_all(selection, selection->found);
	if (!cause)
		cause = unfit;
	if (cause) {
		selection->unfiltered = true;
		kd_warn(request->log, "all pages are kept: %s", cause->text);
	}
	warn_damaged(selection);
	if (read_error_is_set(&selection->map.unreadable))
		kd_warn(request->log,
			"struct pages could not be read, the first at 0x%lx: %s; the pages that they describe are kept",
			selection->map.unreadable.paddr, selection->map.unreadable.text);
	if (!in_cycles(selection))
		mem_map_release(&selection->map);
	return NULL;
}

struct kd_error *selection_load(struct selection *selection, size_t number)
{
	struct selection_window *window = &selection->window[number], again = *window;
	struct page_filter unused = { 0 }; /* they were counted the first time */

	assert(number < selection->window_count);
	if (!in_cycles(selection))
		return NULL;
	enter_window(selection, number);
	if (selection->filtering)
		filter(selection, number, selection->poison_only, &unused);
	mark_order(selection);
	take_stock(selection, &again);
	if (again.kept == window->kept && again.sum == window->sum)
		return NULL;
	return kd_error_create(KD_ERR_FORMAT,
			       "%s changes while it is read: of the page frames 0x%lx to 0x%lx, different ones "
			       "would be kept than before (%lu, not %lu)",
			       vmcore_path(selection->request.space->vmcore), selection->kept.start_pfn,
			       selection->kept.end_pfn, again.kept, window->kept);
}
