/* SPDX-License-Identifier: GPL-2.0-or-later */
/** How large the data of a dump will be, without writing it.
 *
 *  Its pages go through the pipeline as they would for a dump, with the same memory, but only a sample of those that
 *  would be stored is compressed. What decides how many are stored, zeros and pages that equal others, is cheap to find
 * out beside that, and no sample tells it: equal pages may be far from each other. So all pages are read, as long as
 * they are no more than 16 GiB; of larger dumps as much as that, in stretches of 1 GiB, each long beside the table in
 * which equal pages are looked for (dumpfilter/write/page_share.h).
 */
#ifndef DUMPFILTER_ESTIMATE_H
#define DUMPFILTER_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "dumpfilter/pages/pfn_bitmap.h"
#include "dumpfilter/write/pipeline.h"

struct estimate {
	uint64_t pages; /* of the whole dump */
	uint64_t page_size;
	uint64_t stretch;    /* in pages … */
	uint64_t stride;     /* … of which one out of so many is read */
	unsigned int sample; /* of this many pages that would be stored one is compressed */
	uint64_t passed;     /* pages seen so far … */
	uint64_t read;       /* … of which so many were read … */
	uint64_t stored;     /* … of which so many would be stored */
	uint64_t units;      /* of pages, with any data */
	bool parallel;       /* by several workers, whose units begin at multiples of OUTPUT_ALIGN */
	/* Sizes of the pages that were compressed: how many, their sum, and the sum of their squares. */
	uint64_t count, sum, squares;
};

/** For a dump of @pages pages. */
void estimate_init(struct estimate *estimate, uint64_t pages, uint64_t page_size);

/** Run @pipeline, which lacks only a writer, over the pages of @kept, the bitmap it uses; of that some are cleared.
 *  A dump can be looked at in parts, one after the other in rising order. */
struct kd_error *estimate_run(struct estimate *estimate, struct pipeline *pipeline, struct pfn_bitmap *kept) MUST_CHECK;

/** Bytes of data. Meant to be too high rather than too low, by a few percent at most: where there is doubt, twice
 *  the standard error is added. */
uint64_t estimate_size(const struct estimate *estimate);

#endif
