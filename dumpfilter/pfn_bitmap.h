/* SPDX-License-Identifier: GPL-2.0-or-later */
/** One bit per page frame, laid out as in the dump file: bit (pfn & 7) of byte (pfn >> 3). */
#ifndef DUMPFILTER_PFN_BITMAP_H
#define DUMPFILTER_PFN_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ranges.h"

struct pfn_bitmap {
	uint8_t *bits;    /* a multiple of 8 bytes */
	uint64_t end_pfn; /* bits from here on are 0 and stay so */
};

/** All zeros. False: no memory, or more page frames than any machine has. To be released in any case. */
bool pfn_bitmap_init(struct pfn_bitmap *bitmap, uint64_t end_pfn);
void pfn_bitmap_release(struct pfn_bitmap *bitmap);
static inline void pfn_bitmap_release_cleanup(struct pfn_bitmap *bitmap)
{
	pfn_bitmap_release(bitmap);
}

/** Pages at or above end_pfn are never set. */
bool pfn_bitmap_test(const struct pfn_bitmap *bitmap, uint64_t pfn);

/** Set or clear [start, end), cut at end_pfn. */
void pfn_bitmap_set(struct pfn_bitmap *bitmap, uint64_t start, uint64_t end);
void pfn_bitmap_clear(struct pfn_bitmap *bitmap, uint64_t start, uint64_t end);

/** The pages [64 * @index, 64 * @index + 64), bit 0 being the first; @index is at most end_pfn / 64. */
uint64_t pfn_bitmap_word(const struct pfn_bitmap *bitmap, uint64_t index);

/** The first page at or above @pfn that is set; end_pfn if there is none. */
uint64_t pfn_bitmap_next(const struct pfn_bitmap *bitmap, uint64_t pfn);

/** How many of [start, end) are set. */
uint64_t pfn_bitmap_count(const struct pfn_bitmap *bitmap, uint64_t start, uint64_t end);

/** Every page that is at least partly in @ranges (bytes); without the last one of a range if the range covers only
 *  its beginning and @whole_tails is set. */
void pfn_bitmap_set_ranges(struct pfn_bitmap *bitmap, const struct kd_ranges *ranges, uint64_t page_size,
			   bool whole_tails);

#endif
