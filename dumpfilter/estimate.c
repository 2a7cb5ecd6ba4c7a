/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/estimate.h"

#include "dumpfilter/write/output.h"
#include "dumpfilter/write/writer.h"

#define READ_MAX (UINT64_C(16) << 30) /* bytes */
#define STRETCH  (UINT64_C(1) << 30)
/* Sizes of pages differ by about as much as they are: with so many, the standard error is below one percent. */
#define SAMPLE UINT64_C(65536)

/* The estimate stands in for a writer in the pipeline. */
struct writer {
	struct estimate *estimate;
};

void estimate_init(struct estimate *estimate, uint64_t pages, uint64_t page_size)
{
	const uint64_t max = READ_MAX / page_size;

	*estimate = (struct estimate){
		.pages = pages,
		.page_size = page_size,
		.stretch = STRETCH / page_size,
		.stride = pages > max ? (pages - 1) / max + 1 : 1,
	};
	estimate->sample = (unsigned int)(pages / estimate->stride / SAMPLE) + 1;
}

/* Pages of 64 stay or go together, so that a stretch may begin or end a little late. */
static void thin_out(struct estimate *estimate, struct pfn_bitmap *kept)
{
	for (uint64_t i = kept->start_pfn / 64; i <= kept->end_pfn / 64; i++) {
		uint64_t pages = pfn_bitmap_word(kept, i);

		if (pages && estimate->passed / estimate->stretch % estimate->stride != 0)
			pfn_bitmap_clear(kept, i * 64, i * 64 + 64);
		estimate->passed += (uint64_t)__builtin_popcountll(pages);
	}
}

/* A page that repeats another one of the unit has its place. */
static struct kd_error *put(struct writer *writer, struct page_unit *unit)
{
	struct estimate *estimate = writer->estimate;
	size_t used = 0;

	for (unsigned int i = 0; i < unit->count; i++) {
		const struct unit_page *page = &unit->page[i];

		if (page->state != UNIT_PAGE_DATA || page->size == PIPELINE_NO_SIZE || page->offset < used)
			continue;
		used = page->offset + page->size;
		estimate->count++;
		estimate->sum += page->size;
		estimate->squares += (uint64_t)page->size * page->size;
	}
	estimate->units += used > 0;
	return NULL;
}

struct kd_error *estimate_run(struct estimate *estimate, struct pipeline *pipeline, struct pfn_bitmap *kept)
{
	static const struct writer_ops nowhere = { .name = "nowhere", .put = put };
	struct writer writer = { estimate };
	struct kd_error *err;

	thin_out(estimate, kept);
	estimate->parallel = pipeline->threads > 1;
	pipeline->ops = &nowhere;
	pipeline->writer = &writer;
	pipeline->sample = estimate->sample;
	err = pipeline_run(pipeline);
	estimate->read = pipeline->written + pipeline->unreadable;
	estimate->stored = pipeline->written - pipeline->zero - pipeline->shared;
	return err;
}

static double square_root(double value)
{
	double root = value > 1 ? value : 1;

	for (int i = 0; i < 64; i++)
		root = (root + value / root) / 2;
	return root;
}

/* Bytes of a page that is stored. */
static double page_bytes(const struct estimate *estimate)
{
	double count = (double)estimate->count, mean, variance;

	if (estimate->count < 2)
		return (double)estimate->page_size;
	mean = (double)estimate->sum / count;
	variance = ((double)estimate->squares - count * mean * mean) / (count - 1);
	variance *= 1 - count / (double)estimate->stored; /* the rest is known */
	return mean + 2 * square_root(variance > 0 ? variance / count : 0);
}

/* With several threads a unit begins at a multiple of OUTPUT_ALIGN, so any number of bytes below that may be lost at
 * the end of each. */
static double padding(const struct estimate *estimate)
{
	double count = (double)estimate->units;

	return count && estimate->parallel ? OUTPUT_ALIGN * (count / 2 + 2 * square_root(count / 12)) : 0;
}

uint64_t estimate_size(const struct estimate *estimate)
{
	double bytes = (double)estimate->stored * page_bytes(estimate) + padding(estimate);

	/* Threads that work on equal pages at the same time store both; how often that happens cannot be foretold. */
	if (estimate->parallel)
		bytes *= 1.01;
	return estimate->read ? (uint64_t)(bytes * ((double)estimate->pages / (double)estimate->read) + 0.5) : 0;
}
