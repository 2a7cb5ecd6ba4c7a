/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/pages/erase.h"

#include <stdlib.h>
#include <string.h>

/* 4 GiB in pages, or as many elements of a list. */
#define RANGES_MAX (1u << 20)

void erase_release(struct erase *erase)
{
	free(erase->range);
	free(erase->info);
	*erase = (struct erase){ 0 };
}

static struct kd_error *append(struct erase *erase, uint64_t start, uint64_t end, uint8_t fill)
{
	if (erase->count == erase->capacity) {
		size_t capacity = erase->capacity ? 2 * erase->capacity : 64;
		struct erase_range *range;

		if (capacity > RANGES_MAX)
			return kd_error_create(KD_ERR_LIMIT, "more than %u pieces of memory", RANGES_MAX);
		range = reallocarray(erase->range, capacity, sizeof(*range));
		if (!range)
			return kd_error_nomem();
		erase->range = range;
		erase->capacity = capacity;
	}
	erase->range[erase->count++] = (struct erase_range){ start, end, fill };
	return NULL;
}

struct kd_error *erase_add(struct erase *erase, struct address_space *space, uint64_t vaddr, uint64_t size,
			   uint8_t fill)
{
	while (size > 0) {
		uint64_t paddr, piece, in_page;
		struct kd_error *err = address_space_translate(space, vaddr, &paddr, &piece);

		if (err)
			return err;
		in_page = space->page_size - paddr % space->page_size;
		if (piece > in_page)
			piece = in_page;
		if (piece > size)
			piece = size;
		err = append(erase, paddr, paddr + piece, fill);
		if (err)
			return err;
		vaddr += piece;
		size -= piece;
	}
	return NULL;
}

static int compare_starts(const void *a, const void *b)
{
	const struct erase_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

void erase_sort(struct erase *erase)
{
	if (erase->count)
		qsort(erase->range, erase->count, sizeof(*erase->range), compare_starts);
}

const uint8_t *erase_apply(const struct erase *erase, uint64_t paddr, const uint8_t *data, size_t size, uint8_t *buf)
{
	size_t low = 0, high = erase ? erase->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (erase->range[middle].start < paddr)
			low = middle + 1;
		else
			high = middle;
	}
	for (; erase && low < erase->count && erase->range[low].start - paddr < size; low++) {
		const struct erase_range *range = &erase->range[low];

		if (data != buf) {
			memcpy(buf, data, size);
			data = buf;
		}
		memset(buf + (range->start - paddr), range->fill, range->end - range->start);
	}
	return data;
}

void erase_apply_virtual(const struct erase *erase, struct address_space *space, uint64_t vaddr, void *buf, size_t size)
{
	uint8_t *out = buf;

	while (erase && erase->count && size > 0) {
		uint64_t paddr, piece;
		struct kd_error *err = address_space_translate(space, vaddr, &paddr, &piece);

		if (err) {
			kd_error_destroy(err);
			return;
		}
		if (piece > size)
			piece = size;
		for (size_t i = 0; i < erase->count; i++) {
			const struct erase_range *range = &erase->range[i];
			uint64_t start = range->start > paddr ? range->start : paddr;
			uint64_t end = range->end < paddr + piece ? range->end : paddr + piece;

			if (start < end)
				memset(out + (start - paddr), range->fill, end - start);
		}
		vaddr += piece;
		out += piece;
		size -= piece;
	}
}
