/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/pages/pfn_bitmap.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool pfn_bitmap_init(struct pfn_bitmap *bitmap, uint64_t end_pfn)
{
	*bitmap = (struct pfn_bitmap){ .end_pfn = end_pfn };
	if (end_pfn > PFN_BITMAP_MAX)
		return false;
	bitmap->bits = calloc(1, pfn_bitmap_memory(end_pfn));
	return bitmap->bits != NULL;
}

uint64_t pfn_bitmap_memory(uint64_t pages)
{
	return (pages / 64 + 1) * 8;
}

void pfn_bitmap_move(struct pfn_bitmap *bitmap, uint64_t start_pfn, uint64_t end_pfn)
{
	assert(start_pfn % 64 == 0);
	bitmap->start_pfn = start_pfn;
	bitmap->end_pfn = end_pfn;
	memset(bitmap->bits, 0, pfn_bitmap_memory(end_pfn - start_pfn));
}

/* Huge pages would fill up around every bit that is set. */
void pfn_bitmap_expect_few(struct pfn_bitmap *bitmap)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)bitmap->bits;
	uintptr_t end = start + pfn_bitmap_memory(bitmap->end_pfn - bitmap->start_pfn);

	start = (start + page - 1) & ~(page - 1);
	end &= ~(page - 1);
	if (bitmap->bits && end > start)
		(void)madvise((void *)start, end - start, MADV_NOHUGEPAGE);
}

void pfn_bitmap_release(struct pfn_bitmap *bitmap)
{
	free(bitmap->bits);
	*bitmap = (struct pfn_bitmap){ 0 };
}

bool pfn_bitmap_test(const struct pfn_bitmap *bitmap, uint64_t pfn)
{
	if (pfn < bitmap->start_pfn || pfn >= bitmap->end_pfn)
		return false;
	return bitmap->bits[(pfn - bitmap->start_pfn) >> 3] >> (pfn & 7) & 1;
}

static void change(struct pfn_bitmap *bitmap, uint64_t start, uint64_t end, bool value)
{
	if (start < bitmap->start_pfn)
		start = bitmap->start_pfn;
	if (end > bitmap->end_pfn)
		end = bitmap->end_pfn;
	if (start >= end)
		return;
	start -= bitmap->start_pfn;
	end -= bitmap->start_pfn;
	while (start < end) {
		if ((start & 7) == 0 && end - start >= 8) {
			memset(bitmap->bits + (start >> 3), value ? 0xff : 0, (end - start) >> 3);
			start += (end - start) & ~UINT64_C(7);
		} else {
			uint8_t bit = (uint8_t)(1u << (start & 7));

			if (value)
				bitmap->bits[start >> 3] |= bit;
			else
				bitmap->bits[start >> 3] &= (uint8_t)~bit;
			start++;
		}
	}
}

void pfn_bitmap_set(struct pfn_bitmap *bitmap, uint64_t start, uint64_t end)
{
	change(bitmap, start, end, true);
}

void pfn_bitmap_clear(struct pfn_bitmap *bitmap, uint64_t start, uint64_t end)
{
	change(bitmap, start, end, false);
}

uint64_t pfn_bitmap_word(const struct pfn_bitmap *bitmap, uint64_t index)
{
	uint64_t word;

	if (index < bitmap->start_pfn / 64 || index >= (bitmap->end_pfn + 63) / 64)
		return 0;
	memcpy(&word, bitmap->bits + (index - bitmap->start_pfn / 64) * 8, sizeof(word));
	return le64toh(word);
}

/* The 64 pages around @pfn, those below it masked out. */
static uint64_t word_from(const struct pfn_bitmap *bitmap, uint64_t pfn)
{
	return pfn_bitmap_word(bitmap, pfn >> 6) & (~UINT64_C(0) << (pfn & 63));
}

uint64_t pfn_bitmap_next(const struct pfn_bitmap *bitmap, uint64_t pfn)
{
	if (pfn < bitmap->start_pfn)
		pfn = bitmap->start_pfn;
	while (pfn < bitmap->end_pfn) {
		uint64_t word = word_from(bitmap, pfn);

		if (word)
			return (pfn & ~UINT64_C(63)) + (uint64_t)__builtin_ctzll(word);
		pfn = (pfn | 63) + 1;
	}
	return bitmap->end_pfn;
}

uint64_t pfn_bitmap_count(const struct pfn_bitmap *bitmap, uint64_t start, uint64_t end)
{
	uint64_t count = 0;

	if (start < bitmap->start_pfn)
		start = bitmap->start_pfn;
	if (end > bitmap->end_pfn)
		end = bitmap->end_pfn;
	while (start < end) {
		uint64_t word = word_from(bitmap, start), next = (start | 63) + 1;

		if (next > end)
			word &= ~(~UINT64_C(0) << (end & 63));
		count += (uint64_t)__builtin_popcountll(word);
		start = next;
	}
	return count;
}

void pfn_bitmap_set_ranges(struct pfn_bitmap *bitmap, const struct kd_ranges *ranges, uint64_t page_size,
			   bool whole_tails)
{
	for (size_t i = 0; i < ranges->count; i++) {
		uint64_t start = ranges->range[i].start / page_size, end = ranges->range[i].end / page_size;

		if (!whole_tails && ranges->range[i].end % page_size)
			end++;
		pfn_bitmap_set(bitmap, start, end);
	}
}
