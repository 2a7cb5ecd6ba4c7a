/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/pipeline.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

#define UNIT_BYTES (UINT64_C(2) << 20) /* of input, whatever the size of a page */
#define READ_BYTES (UINT64_C(256) << 10) /* at once */

/* Where the search for pages stands. */
struct cursor {
	unsigned int pass;
	uint64_t pfn;
	uint64_t rank;
};
#define PASSES 4u

struct worker {
	const struct pipeline *pipeline;
	struct vmcore_window window;
	void *codec_context;
	uint8_t *read_buf; /* READ_BYTES, for what cannot be mapped */
	uint8_t *erase_buf; /* one page, if anything is to be erased */
	unsigned int unit_max;
	struct page_unit unit;
};

static void worker_destroy(struct worker *worker)
{
	if (!worker)
		return;
	vmcore_window_release(&worker->window);
	if (worker->codec_context)
		worker->pipeline->codec->destroy(worker->codec_context);
	free(worker->read_buf);
	free(worker->erase_buf);
	free(worker->unit.data);
	free(worker);
}
DEFINE_CLEANUP(struct worker *, worker_destroy)

static struct kd_error *worker_create(const struct pipeline *pipeline, struct worker **ret)
{
	const struct codec *codec = pipeline->codec;
	uint64_t page_size = pipeline->page_size;

	_cleanup_(worker_destroy) struct worker *worker = calloc(1, sizeof(*worker));
	if (!worker)
		return kd_error_nomem();
	worker->pipeline = pipeline;
	vmcore_window_init(&worker->window, pipeline->vmcore);
	worker->unit_max = UNIT_BYTES / page_size < PAGE_UNIT_MAX ? (unsigned int)(UNIT_BYTES / page_size) : PAGE_UNIT_MAX;
	worker->read_buf = malloc(READ_BYTES);
	/* The last page of a unit may need the codec's room behind it. */
	worker->unit.data = malloc(worker->unit_max * page_size + (codec ? codec->bound(page_size) : 0));
	worker->erase_buf = pipeline->erase ? malloc(page_size) : NULL;
	if (!worker->read_buf || !worker->unit.data || (pipeline->erase && !worker->erase_buf))
		return kd_error_nomem();
	if (codec) {
		worker->codec_context = codec->create(page_size);
		if (!worker->codec_context)
			return kd_error_nomem();
	}
	*ret = take_ptr(worker);
	return NULL;
}

static unsigned int pass_of(const struct pipeline *pipeline, uint64_t pfn)
{
	if (pfn_bitmap_test(pipeline->first, pfn))
		return 0;
	if (pfn_bitmap_test(pipeline->second, pfn))
		return 1;
	return pfn_bitmap_test(pipeline->last, pfn) ? 3 : 2;
}

/* The next pages in the order of writing. An empty unit: no more. */
static void pick_pages(const struct pipeline *pipeline, struct cursor *cursor, unsigned int max,
		       struct page_unit *unit)
{
	unit->count = 0;
	unit->used = 0;
	while (cursor->pass < PASSES && unit->count < max) {
		cursor->pfn = pfn_bitmap_next(pipeline->kept, cursor->pfn);
		if (cursor->pfn >= pipeline->kept->end_pfn) {
			*cursor = (struct cursor){ .pass = cursor->pass + 1 };
			continue;
		}
		if (pass_of(pipeline, cursor->pfn) == cursor->pass)
			unit->page[unit->count++] =
				(struct unit_page){ .pfn = cursor->pfn, .rank = cursor->rank };
		cursor->pfn++;
		cursor->rank++;
	}
}

static bool is_zero(const uint8_t *data, size_t size)
{
	/* Each byte equals the one before it, and the first one is zero. */
	return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

static void pack_page(struct worker *worker, struct unit_page *page, const uint8_t *data)
{
	const struct pipeline *pipeline = worker->pipeline;
	struct page_unit *unit = &worker->unit;
	size_t size = 0;

	data = erase_apply(pipeline->erase, page->pfn * pipeline->page_size, data, pipeline->page_size,
			   worker->erase_buf);
	if (pipeline->share_zero_pages && is_zero(data, pipeline->page_size)) {
		page->state = UNIT_PAGE_ZERO;
		return;
	}
	page->state = UNIT_PAGE_DATA;
	page->offset = (uint32_t)unit->used;
	if (pipeline->codec)
		size = pipeline->codec->compress(worker->codec_context, data, pipeline->page_size,
						 unit->data + unit->used);
	if (size == 0 || size >= pipeline->page_size) {
		size = pipeline->page_size;
		memcpy(unit->data + unit->used, data, size);
		page->flags = 0;
	} else {
		page->flags = pipeline->codec->flag;
	}
	page->size = (uint32_t)size;
	unit->used += size;
}

/* Pack @count pages with consecutive pfns; one by one where they cannot be read together. */
static void pack_run(struct worker *worker, struct unit_page *page, unsigned int count)
{
	uint64_t page_size = worker->pipeline->page_size;
	const uint8_t *data;
	struct kd_error *err = vmcore_window_get(&worker->window, page->pfn * page_size, count * page_size,
						 worker->read_buf, &data);

	if (!err) {
		for (unsigned int i = 0; i < count; i++)
			pack_page(worker, &page[i], data + i * page_size);
		return;
	}
	kd_error_destroy(err);
	if (count == 1) {
		page->state = UNIT_PAGE_UNREADABLE;
		return;
	}
	for (unsigned int i = 0; i < count; i++)
		pack_run(worker, &page[i], 1);
}

static void pack_unit(struct worker *worker)
{
	struct page_unit *unit = &worker->unit;
	unsigned int run_max = (unsigned int)(READ_BYTES / worker->pipeline->page_size);

	for (unsigned int i = 0, count; i < unit->count; i += count) {
		for (count = 1; count < run_max && i + count < unit->count; count++)
			if (unit->page[i + count].pfn != unit->page[i].pfn + count)
				break;
		pack_run(worker, &unit->page[i], count);
	}
}

static void add_results(struct pipeline *pipeline, const struct page_unit *unit)
{
	for (unsigned int i = 0; i < unit->count; i++) {
		pipeline->zero += unit->page[i].state == UNIT_PAGE_ZERO;
		pipeline->unreadable += unit->page[i].state == UNIT_PAGE_UNREADABLE;
		pipeline->written += unit->page[i].state != UNIT_PAGE_UNREADABLE;
	}
}

static void report_progress(const struct pipeline *pipeline, uint64_t done, uint64_t total, time_t *last)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!pipeline->progress || (now.tv_sec == *last && done < total))
		return;
	*last = now.tv_sec;
	pipeline->progress(pipeline->progress_arg, done, total);
}

struct kd_error *pipeline_run(struct pipeline *pipeline)
{
	uint64_t total = pfn_bitmap_count(pipeline->kept, 0, pipeline->kept->end_pfn);
	_cleanup_(worker_destroy) struct worker *worker = NULL;
	struct cursor cursor = { 0 };
	time_t last = 0;
	struct kd_error *err;

	err = worker_create(pipeline, &worker);
	if (err)
		return err;
	for (;;) {
		pick_pages(pipeline, &cursor, worker->unit_max, &worker->unit);
		if (worker->unit.count == 0)
			return NULL;
		pack_unit(worker);
		err = pipeline->ops->put(pipeline->writer, &worker->unit);
		if (err)
			return err;
		add_results(pipeline, &worker->unit);
		report_progress(pipeline, pipeline->written + pipeline->unreadable, total, &last);
	}
}
