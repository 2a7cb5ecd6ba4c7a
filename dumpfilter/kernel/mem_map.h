/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The array of struct page, where the kernel keeps it (Linux include/linux/mmzone.h): found by section of memory
 *  (SPARSEMEM, extreme or classic), or as one array (FLATMEM).
 */
#ifndef DUMPFILTER_KERNEL_MEM_MAP_H
#define DUMPFILTER_KERNEL_MEM_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/vmcore/read_error.h"

/** Size of the buffer that struct pages are read into. */
#define MEM_MAP_BUFFER (UINT64_C(2) << 20)

struct mem_map {
	struct address_space *space;
	uint64_t page_struct_size; /* SIZE(page) */
	uint64_t end_pfn;          /* pages from here on are of no interest */
	uint64_t flat;             /* virtual address of the one array; 0 if there are sections */
	/* Sections. */
	uint64_t pages_per_section;
	uint64_t sections;     /* virtual address of the array of sections, or of pointers to pieces of it */
	uint64_t section_size; /* SIZE(mem_section) */
	uint64_t map_offset;   /* of section_mem_map in it */
	uint64_t roots;        /* elements of the array of pointers; 0 if the array has the sections themselves */
	uint64_t sections_per_root;
	uint64_t section_limit;
	/* The root that was looked at last. */
	uint64_t cached_root, cached_root_vaddr;
	/* The piece that was read last. */
	uint8_t *buf;
	uint64_t buf_pages;
	struct kd_ranges frames; /* where the array itself lies, as far as it was read */
	struct read_error
		unreadable; /* of the array and of what leads to it; memory that is not there does not count */
};

/** @space is borrowed. To be released in any case. KD_ERR_FORMAT if VMCOREINFO does not say where the mem_map is. */
struct kd_error *mem_map_init(struct mem_map *map, struct address_space *space, uint64_t end_pfn) MUST_CHECK;
void mem_map_release(struct mem_map *map);
static inline void mem_map_release_cleanup(struct mem_map *map)
{
	mem_map_release(map);
}

/** Consecutive pages: @count structs of page_struct_size bytes for the pages from @pfn on. */
struct mem_map_run {
	uint64_t pfn;
	uint64_t count;
	const uint8_t *pages;
	uint64_t vaddr; /* of the first struct page */
};

/** Find the frames that hold the array (map->frames), as far as they are in the dump, without reading them. */
void mem_map_find_frames(struct mem_map *map);

/** The next run at or above *@pfn that begins below @end_pfn, whose pages are valid until the next call; *@pfn moves
 *  behind it. Runs begin and end at pfns aligned to their size, so that a compound page's head is never the last page
 * of one. Pages without (initialised) struct page are in no run; structs that could not be read are all ones, which is
 * what the kernel itself writes into those not yet initialised. False: no more. */
bool mem_map_next(struct mem_map *map, uint64_t *pfn, uint64_t end_pfn, struct mem_map_run *ret);

#endif
