/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/pages/memory_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/proc.h"

/* For what is too small to be counted: stacks, messages, what malloc() has left over, what the kernel counts late. */
#define SLACK (UINT64_C(1) << 20)
/* 512 MiB of 4 KiB pages: less would only be read more often, since struct pages are read by the 2 MiB. */
#define WINDOW_MIN (UINT64_C(1) << 17)
/* Windows of this size are large enough for a window's end, where threads wait for each other, not to matter. */
#define WINDOW_GOOD (UINT64_C(1) << 21)
/* Bytes that are remembered of each. */
#define WINDOW_RECORD 64u

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t scanner_memory(const struct memory_needs *needs, const struct memory_plan *plan)
{
	return needs->tables + (plan->mapping ? needs->mapping : 0);
}

/* Memory for the whole machine at once. The struct pages have been read when writing begins. */
static uint64_t whole_memory(const struct memory_needs *needs, const struct memory_plan *plan)
{
	uint64_t reading = plan->scanners * scanner_memory(needs, plan);
	uint64_t writing = plan->threads * needs->worker + plan->share;

	return needs->resident + SLACK + needs->bitmaps + larger(reading, writing);
}

/* In cycles: reading and writing take turns, and one thread's tables stay. */
static uint64_t cycle_memory(const struct memory_needs *needs, const struct memory_plan *plan)
{
	uint64_t records = (needs->pages / plan->window + 1) * WINDOW_RECORD;
	uint64_t bitmaps = needs->window_bitmaps * (plan->window / 8 + 8);
	uint64_t reading = plan->scanners * scanner_memory(needs, plan);
	uint64_t writing = needs->tables + plan->threads * needs->worker;

	return needs->resident + SLACK + bitmaps + records + plan->share + larger(reading, writing);
}

typedef uint64_t memory_function(const struct memory_needs *needs, const struct memory_plan *plan);

/* As many as are wanted, as long as it fits. */
static void add_threads(const struct memory_needs *needs, memory_function *memory, struct memory_plan *plan,
			unsigned int *threads)
{
	while (*threads < needs->threads) {
		++*threads;
		if (memory(needs, plan) <= needs->limit)
			continue;
		--*threads;
		break;
	}
}

/* Twice the size, as often as it fits. */
static void grow_share(const struct memory_needs *needs, memory_function *memory, struct memory_plan *plan)
{
	struct memory_plan tried = *plan;

	for (tried.share *= 2; tried.share && tried.share <= needs->share; tried.share *= 2) {
		if (memory(needs, &tried) > needs->limit)
			break;
		plan->share = tried.share;
	}
}

/* Reading and writing are not done at the same time, so what is good for one of them is had as far as it fits by
 * itself. */
static bool fit(const struct memory_needs *needs, memory_function *memory, struct memory_plan *plan)
{
	struct memory_plan tried = *plan;

	tried.threads = tried.scanners = 1;
	tried.share = needs->share ? needs->share_least : 0;
	tried.mapping = false;
	if (memory(needs, &tried) > needs->limit)
		tried.share = 0;
	if (memory(needs, &tried) > needs->limit)
		return false;
	add_threads(needs, memory, &tried, &tried.threads);
	/* To copy takes longer than to look. */
	tried.mapping = true;
	tried.mapping = memory(needs, &tried) <= needs->limit;
	add_threads(needs, memory, &tried, &tried.scanners);
	grow_share(needs, memory, &tried);
	*plan = tried;
	return true;
}

/* Windows are made of whole pieces of this size. */
static uint64_t window_unit(const struct memory_needs *needs)
{
	return needs->window_pages && needs->window_pages < WINDOW_MIN ? (needs->window_pages + 63) & ~UINT64_C(63) :
									 WINDOW_MIN;
}

/* As few windows as there is memory for, all of one size. */
static void widen(const struct memory_needs *needs, struct memory_plan *plan)
{
	uint64_t unit = window_unit(needs), room = needs->limit - cycle_memory(needs, plan);
	uint64_t most = needs->pages, count;

	if (room / needs->window_bitmaps < needs->pages / 8)
		most = plan->window + room / needs->window_bitmaps * 8;
	if (needs->window_pages && most > needs->window_pages)
		most = needs->window_pages;
	most = most / unit * unit;
	if (most <= plan->window)
		return;
	count = needs->pages / most + (needs->pages % most != 0);
	most = needs->pages / count + (needs->pages % count != 0);
	plan->window = (most + unit - 1) / unit * unit;
}

/* The largest window, none larger than is good, with which it fits; then wider. */
static bool fit_cycles(const struct memory_needs *needs, bool sharing, struct memory_plan *plan)
{
	uint64_t unit = window_unit(needs);

	for (uint64_t pieces = WINDOW_GOOD / unit; pieces > 0; pieces /= 2) {
		plan->window = pieces * unit;
		if (pieces > 1 &&
		    (plan->window >= needs->pages || (needs->window_pages && plan->window > needs->window_pages)))
			continue;
		if (!fit(needs, cycle_memory, plan) || (sharing && !plan->share))
			continue;
		widen(needs, plan);
		return true;
	}
	return false;
}

/* If nothing fits, the plan is the one that needs least. */
static void make_plan(const struct memory_needs *needs, struct memory_plan *plan)
{
	uint64_t unit = window_unit(needs);
	bool cycles = needs->window_bitmaps && needs->pages > unit;
	bool wanted = cycles && needs->window_pages && needs->window_pages < needs->pages;
	const struct memory_plan whole = { .threads = 1, .scanners = 1, .window = needs->pages };
	const struct memory_plan least = { .threads = 1, .scanners = 1, .window = unit };

	*plan = whole;
	if (!wanted && fit(needs, whole_memory, plan))
		return;
	if (cycles && (fit_cycles(needs, needs->share > 0, plan) || fit_cycles(needs, false, plan)))
		return;
	*plan = cycles && (wanted || cycle_memory(needs, &least) < whole_memory(needs, &whole)) ? least : whole;
}

static struct kd_error *too_little(const struct memory_needs *needs, uint64_t memory)
{
	return kd_error_create(KD_ERR_LIMIT, "the dump may use at most %lu KiB of memory, but needs at least %lu KiB%s",
			       needs->limit >> 10, (memory + 1023) >> 10,
			       needs->window_bitmaps ? "" : " (a dump in this format is not made in cycles)");
}

struct kd_error *memory_plan_make(const struct memory_needs *needs, struct memory_plan *ret)
{
	struct memory_plan plan;

	make_plan(needs, &plan);
	plan.memory = plan.window < needs->pages ? cycle_memory(needs, &plan) : whole_memory(needs, &plan);
	plan.memory = larger(plan.memory, needs->peak);
	if (needs->strict && plan.memory > needs->limit)
		return too_little(needs, plan.memory);
	*ret = plan;
	return NULL;
}

/* A figure of @path in bytes; 0 if it cannot be read. */
static uint64_t proc_figure(const char *path, const char *key)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_read_file(path, 64 << 10, &text, NULL);
	uint64_t bytes = 0;

	if (err || !kd_proc_figure(text, key, &bytes))
		bytes = 0;
	kd_error_destroy(err);
	return bytes;
}

void memory_resident(uint64_t *now_ret, uint64_t *peak_ret)
{
	*now_ret = proc_figure("/proc/self/status", "VmRSS");
	*peak_ret = proc_figure("/proc/self/status", "VmHWM");
}

uint64_t memory_available(void)
{
	return proc_figure("/proc/meminfo", "MemAvailable");
}
