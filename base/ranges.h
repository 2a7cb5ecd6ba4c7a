/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Sorted, disjoint half-open ranges [start, end) of physical addresses (bytes).
 *
 *  The loader's placement, the elfcorehdr and the e820 table are computed from these. Ranges that touch are merged.
 *  A zeroed struct is an empty list. Functions that may allocate return false if there is no memory (list unchanged).
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

/** Add [start, end); an empty range changes nothing. */
bool kd_ranges_add(struct kd_ranges *ranges, uint64_t start, uint64_t end);
/** Remove [start, end); a range that it cuts is split. */
bool kd_ranges_subtract(struct kd_ranges *ranges, uint64_t start, uint64_t end);
/** Subtract every range of @other. */
bool kd_ranges_subtract_all(struct kd_ranges *ranges, const struct kd_ranges *other);
/** Remove everything outside [start, end). */
bool kd_ranges_clip(struct kd_ranges *ranges, uint64_t start, uint64_t end);
/** *ret := copy of @ranges; *ret must be empty or zeroed. */
bool kd_ranges_copy(const struct kd_ranges *ranges, struct kd_ranges *ret);
/** *ret := the addresses that are both in @a and in @b; *ret must be zeroed. */
bool kd_ranges_intersect(const struct kd_ranges *a, const struct kd_ranges *b, struct kd_ranges *ret);

/** Is all of [start, end) inside one range? False if it is empty. */
bool kd_ranges_contain(const struct kd_ranges *ranges, uint64_t start, uint64_t end);
uint64_t kd_ranges_total(const struct kd_ranges *ranges);

/** The index of the first range that ends above @address: the range that holds it, or the next one. If there is none,
 *  @ranges->count. */
size_t kd_ranges_first_above(const struct kd_ranges *ranges, uint64_t address);

/** Find room for @size bytes within [low, high), with the start aligned to @align (a power of two): the lowest such
 *  address, or the highest with @top_down. False if there is none. */
bool kd_ranges_find(const struct kd_ranges *ranges, uint64_t size, uint64_t align, uint64_t low, uint64_t high,
		    bool top_down, uint64_t *ret);

#endif
