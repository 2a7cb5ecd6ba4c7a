/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Sorted, disjoint half-open ranges [start, end) of physical addresses (bytes).
 *
 *  The loader's placement, the elfcorehdr and the e820 table are arithmetic on these. Touching ranges are merged.
 *  A zeroed struct is an empty list. Functions that may allocate return false when memory is out (list unchanged).
 */
#ifndef BASE_RANGES_H
#define BASE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"

struct kd_range {
	uint64_t start;
	uint64_t end; /* one past the last byte */
};

struct kd_ranges {
	struct kd_range *range;
	size_t count;
	size_t capacity;
};

void kd_ranges_free(struct kd_ranges *ranges);
static inline void kd_ranges_free_cleanup(struct kd_ranges *ranges)
{
	kd_ranges_free(ranges);
}

/** Union with [start, end); nothing happens when it is empty. */
bool kd_ranges_add(struct kd_ranges *ranges, uint64_t start, uint64_t end);
/** Take [start, end) out, splitting what it cuts. */
bool kd_ranges_subtract(struct kd_ranges *ranges, uint64_t start, uint64_t end);
/** Subtract every range of @other. */
bool kd_ranges_subtract_all(struct kd_ranges *ranges, const struct kd_ranges *other);
/** Keep only what is in [start, end). */
bool kd_ranges_clip(struct kd_ranges *ranges, uint64_t start, uint64_t end);
/** *ret := copy of @ranges; *ret must be empty or zeroed. */
bool kd_ranges_copy(const struct kd_ranges *ranges, struct kd_ranges *ret);
/** *ret := parts common to @a and @b; *ret must be zeroed. */
bool kd_ranges_intersect(const struct kd_ranges *a, const struct kd_ranges *b, struct kd_ranges *ret);

/** Is all of [start, end) inside one range? An empty interval is not. */
bool kd_ranges_contain(const struct kd_ranges *ranges, uint64_t start, uint64_t end);
uint64_t kd_ranges_total(const struct kd_ranges *ranges);

/** The first range that ends above @address: the one that holds it, or the next one. @ranges->count if there is none.
 */
size_t kd_ranges_first_above(const struct kd_ranges *ranges, uint64_t address);

/** Where a hole of @size bytes, start aligned to @align (power of two), fits within [low, high): the lowest
 *  such address, or the highest when @top_down. False if there is none. */
bool kd_ranges_find(const struct kd_ranges *ranges, uint64_t size, uint64_t align, uint64_t low, uint64_t high,
		    bool top_down, uint64_t *ret);

#endif
