/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/loader/identity_map.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "kdump/loader/le.h"

/* Intel SDM volume 3, 4.5: entries of 8 bytes, 512 of them in a page. */
enum {
	ENTRY_SIZE = 8,
	ENTRIES = 512,
	PRESENT = 1 << 0,
	WRITE = 1 << 1,
	ACCESSED = 1 << 5,
	DIRTY = 1 << 6,
	LARGE = 1 << 7, /* of 2 MiB, in a page directory */

	ROOT = 0,
	ROOT_OF_FIVE,
	POINTERS,
	DIRECTORIES, /* one for each GiB */
	PAGES = DIRECTORIES + (int)(IDENTITY_MAPPED >> 30),
};

static void put_entry(uint8_t *tables, unsigned int page, unsigned int index, uint64_t value)
{
	put_le64(tables + page * SEGMENT_PAGE + index * ENTRY_SIZE, value);
}

static void fill(uint8_t *tables, uint64_t base)
{
	const uint64_t table = PRESENT | WRITE | ACCESSED;

	put_entry(tables, ROOT, 0, (base + POINTERS * SEGMENT_PAGE) | table);
	put_entry(tables, ROOT_OF_FIVE, 0, (base + ROOT * SEGMENT_PAGE) | table);
	for (unsigned int i = 0; i < PAGES - DIRECTORIES; i++) {
		put_entry(tables, POINTERS, i, (base + (DIRECTORIES + i) * SEGMENT_PAGE) | table);
		for (unsigned int k = 0; k < ENTRIES; k++)
			put_entry(tables, DIRECTORIES + i, k, KD_MIB(2) * (i * ENTRIES + k) | table | DIRTY | LARGE);
	}
}

struct kd_error *identity_map_place(struct loader_image *image)
{
	static const struct segment_place place = { SEGMENT_PAGE, 0, IDENTITY_MAPPED, true };
	struct segment segment = { .name = "page tables", .bufsz = (size_t)PAGES * SEGMENT_PAGE };
	struct kd_error *err;

	image->page_tables = calloc(PAGES, SEGMENT_PAGE);
	if (!image->page_tables)
		return kd_error_nomem();
	segment.buf = image->page_tables;
	err = segments_add(&image->segments, &segment, &place, &image->page_tables_address);
	if (!err)
		fill(image->page_tables, image->page_tables_address);
	return err;
}
