/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/pages/page_scan.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "dumpfilter/pages/threads.h"

#define THREADS_MAX 16u

/* State that the threads share. */
struct scan {
	const struct page_filter *filter;
	const struct page_rules *rules;
	uint64_t start_pfn, end_pfn;
	uint64_t part_pages;   /* no word of a bitmap belongs to two parts */
	uint64_t parts, next;  /* next: changed atomically */
	struct page_run *last; /* of each part: its last verdicts, which may reach behind it */
};

struct scanner {
	struct scan *scan;
	struct address_space space;
	struct mem_map map;
	pthread_t thread;
	struct page_filter sums;
};

static void scanner_destroy(struct scanner *scanner)
{
	if (!scanner)
		return;
	mem_map_release(&scanner->map);
	address_space_release(&scanner->space);
	free(scanner);
}
DEFINE_CLEANUP(struct scanner *, scanner_destroy)

static uint64_t part_start(const struct scan *scan, uint64_t part)
{
	uint64_t start = scan->start_pfn + part * scan->part_pages;

	return start < scan->end_pfn ? start : scan->end_pfn;
}

/* The same bits, of [start, end) only. */
static struct pfn_bitmap *view(const struct pfn_bitmap *bitmap, uint64_t start, uint64_t end, struct pfn_bitmap *ret)
{
	if (!bitmap)
		return NULL;
	*ret = (struct pfn_bitmap){ bitmap->bits + (start - bitmap->start_pfn) / 8, start, end };
	return ret;
}

/* Scans parts until none is left. A verdict about pages of a part changes only that part of the bitmaps; the rest of it
 * is handed on. */
static void scan_parts(struct scan *scan, struct mem_map *map, struct page_filter *sums)
{
	uint64_t part;

	while ((part = __atomic_fetch_add(&scan->next, 1, __ATOMIC_RELAXED)) < scan->parts) {
		uint64_t start = part_start(scan, part), end = part_start(scan, part + 1);
		struct pfn_bitmap kept, first, slab, late;
		struct page_filter filter = {
			.level = scan->filter->level,
			.poison_only = scan->filter->poison_only,
			.kept = view(scan->filter->kept, start, end, &kept),
			.first = view(scan->filter->first, start, end, &first),
			.slab = view(scan->filter->slab, start, end, &slab),
			.late = view(scan->filter->late, start, end, &late),
			.vital = scan->filter->vital,
		};

		if (part == 0)
			filter.run = scan->filter->run;
		page_filter_run(&filter, scan->rules, map);
		scan->last[part] = filter.run;
		page_filter_add_counts(sums, &filter);
	}
}

static void *work(void *arg)
{
	struct scanner *scanner = arg;

	scan_parts(scanner->scan, &scanner->map, &scanner->sums);
	return NULL;
}

/* Starts a thread with its own view of the same memory; NULL if that fails. */
static struct scanner *scanner_start(struct scan *scan, const struct mem_map *map)
{
	const struct address_space *space = map->space;
	_cleanup_(scanner_destroy) struct scanner *scanner = calloc(1, sizeof(*scanner));
	_cleanup_(kd_error_destroy) struct kd_error *err = NULL;

	if (!scanner)
		return NULL;
	scanner->scan = scan;
	err = address_space_init(&scanner->space, space->vmcore, space->info, NULL);
	scanner->space.window.no_mmap |= space->window.no_mmap;
	if (!err)
		err = mem_map_init(&scanner->map, &scanner->space, map->end_pfn);
	if (err || !thread_start(&scanner->thread, work, scanner))
		return NULL;
	return_ptr(scanner);
}

static void add_ranges(struct kd_ranges *to, const struct kd_ranges *from)
{
	for (size_t i = 0; i < from->count; i++)
		(void)!kd_ranges_add(to, from->range[i].start, from->range[i].end);
}

static void scanner_join(struct scanner *scanner, struct page_filter *filter, struct mem_map *map)
{
	pthread_join(scanner->thread, NULL);
	page_filter_add_counts(filter, &scanner->sums);
	read_error_join(&map->unreadable, &scanner->map.unreadable);
	add_ranges(&map->frames, &scanner->map.frames);
	add_ranges(&map->space->walked, &scanner->space.walked);
	scanner_destroy(scanner);
}

/* Verdicts that reach behind their part, now that nobody else works there. */
static void hand_on(const struct scan *scan, struct page_filter *filter)
{
	for (uint64_t part = 0; part < scan->parts; part++) {
		struct page_run run = scan->last[part];

		if (part + 1 == scan->parts || run.end > scan->end_pfn)
			filter->run = run;
		run.start = part_start(scan, part + 1);
		if (run.end > run.start)
			page_filter_apply(filter, &run);
	}
}

void page_scan(struct page_filter *filter, const struct page_rules *rules, struct mem_map *map, uint64_t part_pages,
	       unsigned int threads)
{
	struct scan scan = {
		.filter = filter,
		.rules = rules,
		.start_pfn = filter->kept->start_pfn,
		.end_pfn = filter->kept->end_pfn,
		.part_pages = part_pages,
	};
	_cleanup_free_ struct page_run *last = NULL;
	struct scanner *scanner[THREADS_MAX];
	unsigned int started = 0;

	assert(part_pages && part_pages % 64 == 0); /* no word of a bitmap belongs to two parts */
	scan.parts = (scan.end_pfn - scan.start_pfn + part_pages - 1) / part_pages;
	if (threads > scan.parts)
		threads = (unsigned int)scan.parts;
	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	if (threads > 1)
		scan.last = last = calloc(scan.parts, sizeof(*last));
	if (!last) {
		page_filter_run(filter, rules, map);
		return;
	}
	while (started + 1 < threads && (scanner[started] = scanner_start(&scan, map)))
		started++;
	scan_parts(&scan, map, filter);
	for (unsigned int i = 0; i < started; i++)
		scanner_join(scanner[i], filter, map);
	hand_on(&scan, filter);
}
