/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/selection.h"

#include <string.h>

#include "dumpfilter/mem_map.h"
#include "dumpfilter/page_class.h"
#include "dumpfilter/page_scan.h"
#include "dumpfilter/writer.h"

void selection_release(struct selection *selection)
{
	pfn_bitmap_release(&selection->kept);
	page_order_release(&selection->order);
}

/* All pages that the file has. */
static void select_all(const struct crash *crash, const struct dumpfilter_options *options, struct selection *selection)
{
	pfn_bitmap_set_ranges(&selection->kept, vmcore_contents(crash->vmcore), crash->space.page_size,
			      options->strict_compat);
}

static struct kd_error *selection_init(struct selection *selection, const struct crash *crash,
				       const struct dumpfilter_options *options)
{
	uint64_t page_size = crash->space.page_size, end = vmcore_end_paddr(crash->vmcore);

	selection->end_pfn = end / page_size + (end % page_size != 0);
	if (!pfn_bitmap_init(&selection->kept, selection->end_pfn) ||
	    !page_order_init(&selection->order, selection->end_pfn))
		return kd_error_create(KD_ERR_NOMEM, "%s: no memory for the bitmaps of %lu page frames",
				       vmcore_path(crash->vmcore), selection->end_pfn);
	select_all(crash, options, selection);
	return NULL;
}

static bool all_kept(const struct kd_ranges *frames, const struct crash *crash, const struct selection *selection)
{
	uint64_t page_size = crash->space.page_size;

	for (size_t i = 0; i < frames->count; i++) {
		uint64_t start = frames->range[i].start / page_size, end = frames->range[i].end / page_size;

		if (pfn_bitmap_count(&selection->kept, start, end) != end - start)
			return false;
	}
	return true;
}

/* The kernel image was there before the page allocator. */
static void learn_boot_flags(struct crash *crash, struct mem_map *map, struct page_rules *rules)
{
	uint64_t stext, paddr, size, pfn;
	struct mem_map_run run;

	if (!vmcoreinfo_symbol(&crash->info, "_stext", &stext))
		return;
	_cleanup_(kd_error_destroy) struct kd_error *err =
		address_space_translate(&crash->space, stext, &paddr, &size);
	if (err)
		return;
	pfn = paddr / crash->space.page_size;
	if (mem_map_next(map, &pfn, map->end_pfn, &run) && run.pfn == paddr / crash->space.page_size)
		page_rules_learn_boot(rules, run.pages);
}

/* Keep short runs of excluded pages, if the format wants that: none of which a page is not in the vmcore, or poisoned. */
static struct kd_error *fill_gaps(const struct crash *crash, const struct dumpfilter_options *options,
				  struct selection *selection, const struct page_rules *rules, struct mem_map *map)
{
	_cleanup_(pfn_bitmap_release) struct pfn_bitmap readable = { 0 };
	struct page_filter pass = { .poison_only = true, .kept = &readable };
	unsigned int gap_min = options->writer ? options->writer->gap_min : 0;
	uint64_t start, end = 0;

	if (!gap_min)
		return NULL;
	if (!pfn_bitmap_init(&readable, selection->end_pfn))
		return kd_error_nomem();
	pfn_bitmap_set_ranges(&readable, vmcore_contents(crash->vmcore), crash->space.page_size, options->strict_compat);
	page_filter_run(&pass, rules, map);
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

/* Run the rules over the mem_map. The frames that were walked to get there hold the kernel's most basic data: rules
 * that would drop one of them do not fit this kernel, and none of their verdicts is worth anything. Poison counts
 * even so, since it is a matter of the machine's safety. */
static struct kd_error *filter(struct crash *crash, const struct dumpfilter_options *options,
			       struct selection *selection, struct dumpfilter_report *report)
{
	_cleanup_(mem_map_release) struct mem_map map = { 0 };
	struct page_rules rules;
	struct pfn_bitmap *order = selection->order.coarse ? NULL : selection->order.pass;
	struct page_filter pass = {
		.level = options->level,
		.kept = &selection->kept,
		.boot = order ? &order[PASS_BASIC] : NULL,
		.slab = order ? &order[PASS_SLAB] : NULL,
		.late = order ? &order[PASS_LATE] : NULL,
	};
	struct kd_error *err = page_rules_init(&rules, &crash->info, options->log);

	if (!err)
		err = mem_map_init(&map, &crash->space, selection->end_pfn);
	if (err)
		return err;
	learn_boot_flags(crash, &map, &rules);
	page_scan(&pass, &rules, &map, PAGE_SCAN_PART, options->threads);
	for (size_t i = 0; i < map.frames.count; i++)
		pfn_bitmap_clear(&selection->order.pass[PASS_BASIC], map.frames.range[i].start / crash->space.page_size,
				 map.frames.range[i].end / crash->space.page_size);
	if (!all_kept(&crash->space.walked, crash, selection) || !all_kept(&map.frames, crash, selection)) {
		select_all(crash, options, selection);
		pass = (struct page_filter){ .poison_only = true, .kept = &selection->kept };
		page_filter_run(&pass, &rules, &map);
		err = kd_error_create(KD_ERR_FORMAT,
				      "the rules would drop the kernel's own page tables or mem_map");
	}
	memcpy(report->pages, pass.pages, sizeof(report->pages));
	if (!err)
		err = fill_gaps(crash, options, selection, &rules, &map);
	return err;
}

struct kd_error *selection_make(struct selection *selection, struct crash *crash,
				const struct dumpfilter_options *options, struct dumpfilter_report *report)
{
	_cleanup_(kd_error_destroy) struct kd_error *problem =
		address_space_init(&crash->space, crash->vmcore, &crash->info, options->log);
	uint64_t total, others = 0;
	struct kd_error *err;

	err = selection_init(selection, crash, options);
	if (err)
		return err;
	total = pfn_bitmap_count(&selection->kept, 0, selection->end_pfn);
	crash->readable = !problem;
	if (!problem) {
		crash_learn_info(crash, options);
		address_space_walk_all(&crash->space);
		problem = filter(crash, options, selection, report);
	}
	if (problem) {
		report->unfiltered = true;
		kd_warn(options->log, "all pages are kept: %s", problem->text);
	}
	page_order_mark(&selection->order, &crash->space, crash->readable);
	for (size_t i = PAGE_CACHE; i < PAGE_CLASS_COUNT; i++)
		others += report->pages[i];
	report->pages[PAGE_KEEP] = total - others;
	report->page_size = crash->space.page_size;
	report->unreadable = vmcore_missing(crash->vmcore) / report->page_size;
	if (report->unreadable)
		kd_warn(options->log, "%s is truncated: %lu pages of memory are missing", vmcore_path(crash->vmcore),
			report->unreadable);
	return NULL;
}
