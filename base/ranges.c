/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/ranges.h"

#include <string.h>

void kd_ranges_free(struct kd_ranges *ranges)
{
	free(ranges->range);
	*ranges = (struct kd_ranges){ 0 };
}

/* Replace @remove entries at @at by the @insert entries of @with. */
static bool splice(struct kd_ranges *r, size_t at, size_t remove, const struct kd_range *with, size_t insert)
{
	size_t count = r->count - remove + insert;

	if (count > r->capacity) {
		size_t capacity = count + count / 2 + 4;
		struct kd_range *grown = realloc(r->range, capacity * sizeof(*grown));

		if (!grown)
			return false;
		r->range = grown;
		r->capacity = capacity;
	}
	if (r->count > at + remove)
		memmove(r->range + at + insert, r->range + at + remove, (r->count - at - remove) * sizeof(*r->range));
	if (insert)
		memcpy(r->range + at, with, insert * sizeof(*with));
	r->count = count;
	return true;
}

/* The index of the first range that ends at or above @address. */
static size_t first_reaching(const struct kd_ranges *r, uint64_t address)
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (r->range[middle].end < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t kd_ranges_first_above(const struct kd_ranges *r, uint64_t address)
{
	return address == UINT64_MAX ? r->count : first_reaching(r, address + 1);
}

bool kd_ranges_add(struct kd_ranges *r, uint64_t start, uint64_t end)
{
	size_t first = first_reaching(r, start), last = first;
	struct kd_range merged = { start, end };

	if (start >= end)
		return true;
	for (; last < r->count && r->range[last].start <= end; last++) {
		if (r->range[last].start < merged.start)
			merged.start = r->range[last].start;
		if (r->range[last].end > merged.end)
			merged.end = r->range[last].end;
	}
	return splice(r, first, last - first, &merged, 1);
}

bool kd_ranges_subtract(struct kd_ranges *r, uint64_t start, uint64_t end)
{
	struct kd_range rest[2];
	size_t first = first_reaching(r, start), last = first, keep = 0;

	if (start >= end)
		return true;
	while (last < r->count && r->range[last].start < end)
		last++;
	if (first == last)
		return true;
	if (r->range[first].start < start)
		rest[keep++] = (struct kd_range){ r->range[first].start, start };
	if (r->range[last - 1].end > end)
		rest[keep++] = (struct kd_range){ end, r->range[last - 1].end };
	return splice(r, first, last - first, rest, keep);
}

bool kd_ranges_subtract_all(struct kd_ranges *r, const struct kd_ranges *other)
{
	size_t i;

	for (i = 0; i < other->count; i++)
		if (!kd_ranges_subtract(r, other->range[i].start, other->range[i].end))
			return false;
	return true;
}

bool kd_ranges_clip(struct kd_ranges *r, uint64_t start, uint64_t end)
{
	return kd_ranges_subtract(r, 0, start) && kd_ranges_subtract(r, end, UINT64_MAX);
}

bool kd_ranges_copy(const struct kd_ranges *r, struct kd_ranges *ret)
{
	ret->count = 0;
	return splice(ret, 0, 0, r->range, r->count);
}

bool kd_ranges_intersect(const struct kd_ranges *a, const struct kd_ranges *b, struct kd_ranges *ret)
{
	size_t i = 0, j = 0;

	while (i < a->count && j < b->count) {
		const struct kd_range *x = &a->range[i], *y = &b->range[j];
		uint64_t start = x->start > y->start ? x->start : y->start;
		uint64_t end = x->end < y->end ? x->end : y->end;

		if (!kd_ranges_add(ret, start, end))
			return false;
		if (x->end < y->end)
			i++;
		else
			j++;
	}
	return true;
}

bool kd_ranges_contain(const struct kd_ranges *r, uint64_t start, uint64_t end)
{
	size_t i = first_reaching(r, start);

	/* A range that ends exactly at @start does not hold @start. */
	if (i < r->count && r->range[i].end == start)
		i++;
	return start < end && i < r->count && r->range[i].start <= start && end <= r->range[i].end;
}

uint64_t kd_ranges_total(const struct kd_ranges *r)
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < r->count; i++)
		total += r->range[i].end - r->range[i].start;
	return total;
}

bool kd_ranges_find(const struct kd_ranges *r, uint64_t size, uint64_t align, uint64_t low, uint64_t high,
		    bool top_down, uint64_t *ret)
{
	size_t n;

	for (n = 0; n < r->count; n++) {
		const struct kd_range *range = &r->range[top_down ? r->count - 1 - n : n];
		uint64_t start = range->start > low ? range->start : low;
		uint64_t end = range->end < high ? range->end : high;
		uint64_t at;

		if (start >= end || end - start < size)
			continue;
		if (top_down) {
			at = (end - size) & ~(align - 1);
			if (at < start)
				continue;
		} else {
			at = (start + align - 1) & ~(align - 1);
			if (at < start || at > end - size)
				continue;
		}
		*ret = at;
		return true;
	}
	return false;
}
