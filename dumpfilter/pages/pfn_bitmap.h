/* SPDX-License-Identifier: GPL-2.0-or-later */
/** One bit per page frame, laid out as in the dump file: bit (pfn & 7) of byte (pfn >> 3).
 *
 *  A bitmap may be of a part of the machine, a window: [start_pfn, end_pfn). Every function takes page frame numbers of
 *  the machine, and outside of the window no page is set, and none can be. */
#ifndef DUMPFILTER_PAGES_PFN_BITMAP_H
#define DUMPFILTER_PAGES_PFN_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ranges.h"

/** 128 TiB of 4 KiB pages, a bitmap of 4 GiB: what claims more is not a machine. */
#define PFN_BITMAP_MAX (UINT64_C(1) << 35)

struct pfn_bitmap {
	uint8_t *bits;      /* a multiple of 8 bytes, the first of start_pfn */
	uint64_t start_pfn; /* a multiple of 64 */
	uint64_t end_pfn;
};

/** Makes a bitmap of [0, @end_pfn), all zeros. False: no memory, or more page frames than any machine has. To be
 *  released in any case. */
bool pfn_bitmap_init(struct pfn_bitmap *bitmap, uint64_t end_pfn);
/** From now on it is of [@start_pfn, @end_pfn), no more page frames than it was made for, and all zeros. */
void pfn_bitmap_move(struct pfn_bitmap *bitmap, uint64_t start_pfn, uint64_t end_pfn);
/** Few pages will be set, here and there: take memory in small pieces. */
void pfn_bitmap_expect_few(struct pfn_bitmap *bitmap);
/** Bytes of memory that one of @pages page frames takes, when much of it is set. */
uint64_t pfn_bitmap_memory(uint64_t pages);
void pfn_bitmap_release(struct pfn_bitmap *bitmap);
static inline void pfn_bitmap_release_cleanup(struct pfn_bitmap *bitmap)
{
	pfn_bitmap_release(bitmap);
}

bool pfn_bitmap_test(const struct pfn_bitmap *bitmap, uint64_t pfn);

/** Set or clear [start, end), as far as it is in the window. */
void pfn_bitmap_set(struct pfn_bitmap *bitmap, uint64_t start, uint64_t end);
void pfn_bitmap_clear(struct pfn_bitmap *bitmap, uint64_t start, uint64_t end);

/** The pages [64 * @index, 64 * @index + 64), bit 0 being the first. */
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
