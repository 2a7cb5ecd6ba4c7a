/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The pass over the mem_map, by several threads: of a machine with much memory it is what takes long, beside writing.
 */
#ifndef DUMPFILTER_PAGES_PAGE_SCAN_H
#define DUMPFILTER_PAGES_PAGE_SCAN_H

#include "dumpfilter/pages/page_filter.h"

/** Pages of a part: a few runs of struct pages. */
#define PAGE_SCAN_PART (UINT64_C(1) << 16)

/** As page_filter_run(), in parts of @part_pages pages (a multiple of 64), by up to @threads threads, of which the
 *  caller's is one. Where memory lacks it is by fewer. Each of the others takes MEM_MAP_BUFFER and a few pages of
 * memory. What the threads read is remembered in @map->frames and @map->space->walked. */
void page_scan(struct page_filter *filter, const struct page_rules *rules, struct mem_map *map, uint64_t part_pages,
	       unsigned int threads);

#endif
