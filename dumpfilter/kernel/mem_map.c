/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/kernel/mem_map.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfilter/kernel/arch.h"

#define PAGE_STRUCT_MIN 16u
/* 16 MiB, the smallest of any architecture; smaller ones would only make the search long. */
#define SECTION_BITS_MIN 24u
#define PAGE_STRUCT_MAX  1024u

/* Low bits of section_mem_map are flags; the kernel keeps at least six free, not all of them used. */
#define SECTION_FLAGS   UINT64_C(0x3f)
#define SECTION_PRESENT UINT64_C(1)
#define SECTION_HAS_MAP UINT64_C(2)
#define SECTION_ONLINE  UINT64_C(4)

static struct kd_error *missing(const char *what)
{
	return kd_error_create(KD_ERR_FORMAT, "VMCOREINFO does not say where the mem_map is (no %s)", what);
}

/* How many sections there can be, and whether the array holds them or pointers to pages full of them. */
static struct kd_error *init_sections(struct mem_map *map)
{
	const struct vmcoreinfo *info = map->space->info;
	struct arch_section_bits bits = map->space->arch->section_bits(map->space);
	unsigned int page_shift = (unsigned int)__builtin_ctzl(map->space->page_size);
	uint64_t length, extreme_length;
	int64_t number;

	if (!vmcoreinfo_symbol(info, "mem_section", &map->sections))
		return missing("SYMBOL(mem_section) or SYMBOL(mem_map)");
	if (!vmcoreinfo_size(info, "mem_section", &map->section_size))
		return missing("SIZE(mem_section)");
	if (!vmcoreinfo_offset(info, "mem_section.section_mem_map", &map->map_offset))
		return missing("OFFSET(mem_section.section_mem_map)");
	if (vmcoreinfo_number(info, "SECTION_SIZE_BITS", &number) && number > 0 && number < 64)
		bits.section = (unsigned int)number;
	if (vmcoreinfo_number(info, "MAX_PHYSMEM_BITS", &number) && number > 0 && number < 64)
		bits.physical = (unsigned int)number;
	if (bits.section < SECTION_BITS_MIN || bits.section > bits.physical || map->section_size < 8 ||
	    map->section_size > map->space->page_size || map->map_offset > map->section_size - 8)
		return kd_error_create(
			KD_ERR_FORMAT,
			"VMCOREINFO describes impossible memory sections: 2^%u bytes of 2^%u, %lu bytes for each",
			bits.section, bits.physical, map->section_size);

	map->pages_per_section = UINT64_C(1) << (bits.section - page_shift);
	map->section_limit = UINT64_C(1) << (bits.physical - bits.section);
	map->sections_per_root = map->space->page_size / map->section_size;
	extreme_length = (map->section_limit + map->sections_per_root - 1) / map->sections_per_root;
	/* Only the kernel itself tells how long the array of pointers is; types tell it of an array of sections. */
	if (!vmcoreinfo_length(info, "mem_section", &length))
		length = extreme_length;
	map->roots = length == extreme_length ? length : 0;
	if (!map->roots && map->section_limit > length)
		map->section_limit = length;
	if (!length)
		return missing("a LENGTH(mem_section) that is not 0");
	return NULL;
}

static bool section_pages(struct mem_map *map, uint64_t nr, uint64_t *vaddr_ret);

static bool has_sections(struct mem_map *map)
{
	uint64_t vaddr;

	map->cached_root = UINT64_MAX;
	for (uint64_t nr = 0; nr < map->section_limit && nr * map->pages_per_section < map->end_pfn; nr++)
		if (section_pages(map, nr, &vaddr))
			return true;
	return false;
}

/* The kernel's own VMCOREINFO has the value of mem_section, which is a pointer; a symbol table has its address. */
static void follow_symbol(struct mem_map *map)
{
	uint64_t symbol = map->sections, value;
	struct kd_error *err;

	if (!map->roots || has_sections(map))
		return;
	err = address_space_read_u64(map->space, symbol, &value);
	if (err) {
		kd_error_destroy(err);
		return;
	}
	map->sections = value;
	if (!has_sections(map))
		map->sections = symbol;
	map->cached_root = UINT64_MAX;
}

struct kd_error *mem_map_init(struct mem_map *map, struct address_space *space, uint64_t end_pfn)
{
	struct kd_error *err;
	uint64_t symbol;

	*map = (struct mem_map){ .space = space, .end_pfn = end_pfn, .cached_root = UINT64_MAX };
	if (!vmcoreinfo_size(space->info, "page", &map->page_struct_size))
		return missing("SIZE(page)");
	if (map->page_struct_size < PAGE_STRUCT_MIN || map->page_struct_size > PAGE_STRUCT_MAX)
		return kd_error_create(KD_ERR_FORMAT,
				       "VMCOREINFO says that a struct page has %lu bytes, which is impossible",
				       map->page_struct_size);
	if (vmcoreinfo_symbol(space->info, "mem_map", &symbol)) {
		err = address_space_read_u64(space, symbol, &map->flat);
		if (!err && !map->flat)
			err = missing("a mem_map");
	} else {
		err = init_sections(map);
		if (!err)
			follow_symbol(map);
	}
	if (err)
		return err;

	/* A power of two, so that runs are aligned to their size. */
	map->buf_pages = UINT64_C(1) << (63 - __builtin_clzl(MEM_MAP_BUFFER / map->page_struct_size));
	if (!map->flat && map->buf_pages > map->pages_per_section)
		map->buf_pages = map->pages_per_section;
	map->buf = malloc(map->buf_pages * map->page_struct_size);
	return map->buf ? NULL : kd_error_nomem();
}

void mem_map_release(struct mem_map *map)
{
	free(map->buf);
	map->buf = NULL;
	kd_ranges_free(&map->frames);
}

/* Memory that is not mapped, or not in the dump, is not a read error of the vmcore. */
static void note_unreadable(struct mem_map *map, const struct kd_error *err)
{
	if (err->code != KD_ERR_HOLE)
		read_error_add(&map->unreadable, map->space->failed, err);
}

/* Where struct mem_section number @nr is; false if there is none. */
static bool find_section(struct mem_map *map, uint64_t nr, uint64_t *vaddr_ret)
{
	uint64_t root;
	struct kd_error *err;

	if (!map->roots) {
		*vaddr_ret = map->sections + nr * map->section_size;
		return true;
	}
	root = nr / map->sections_per_root;
	if (root != map->cached_root) {
		err = address_space_read_u64(map->space, map->sections + root * 8, &map->cached_root_vaddr);
		if (err) {
			kd_debug(map->space->log, "sections from %lu on: %s", root * map->sections_per_root, err->text);
			note_unreadable(map, err);
			kd_error_destroy(err);
			map->cached_root_vaddr = 0;
		}
		map->cached_root = root;
	}
	if (!map->cached_root_vaddr)
		return false;
	*vaddr_ret = map->cached_root_vaddr + nr % map->sections_per_root * map->section_size;
	return true;
}

/* The array of struct page of section @nr; false if it has none that could be trusted. */
static bool section_pages(struct mem_map *map, uint64_t nr, uint64_t *vaddr_ret)
{
	const uint64_t required = SECTION_PRESENT | SECTION_HAS_MAP | SECTION_ONLINE;
	uint64_t section, coded;
	struct kd_error *err;

	if (!find_section(map, nr, &section))
		return false;
	err = address_space_read_u64(map->space, section + map->map_offset, &coded);
	if (err) {
		kd_debug(map->space->log, "section %lu: %s", nr, err->text);
		note_unreadable(map, err);
		kd_error_destroy(err);
		return false;
	}
	if ((coded & required) != required)
		return false;
	/* The kernel stores the address minus that of the section's first page: see sparse_encode_mem_map(). */
	*vaddr_ret = (coded & ~SECTION_FLAGS) + nr * map->pages_per_section * map->page_struct_size;
	return true;
}

/* Structs to be looked at; read in smaller pieces where they are not all there. */
static const uint8_t *get_structs(struct mem_map *map, uint64_t vaddr, uint64_t count)
{
	size_t size = count * map->page_struct_size;
	const uint8_t *structs;
	struct kd_error *err = address_space_view(map->space, vaddr, map->buf, size, &map->frames, &structs);

	if (!err)
		return structs;
	kd_debug(map->space->log, "the mem_map at 0x%lx has holes: %s", vaddr, err->text);
	kd_error_destroy(err);
	for (size_t done = 0, piece; done < size; done += piece) {
		piece = map->space->page_size - (vaddr + done) % map->space->page_size;
		if (piece > size - done)
			piece = size - done;
		err = address_space_read_into(map->space, vaddr + done, map->buf + done, piece, &map->frames);
		if (err) {
			note_unreadable(map, err);
			kd_error_destroy(err);
			memset(map->buf + done, 0xff, piece);
		}
	}
	return map->buf;
}

/* As mem_map_next(), but without the structs. */
static bool next_place(struct mem_map *map, uint64_t *pfn, uint64_t end_pfn, struct mem_map_run *ret)
{
	while (*pfn < map->end_pfn && *pfn < end_pfn) {
		uint64_t first = *pfn, count = map->buf_pages - first % map->buf_pages, vaddr;

		if (count > map->end_pfn - first)
			count = map->end_pfn - first;
		if (map->flat) {
			vaddr = map->flat + first * map->page_struct_size;
		} else {
			uint64_t nr = first / map->pages_per_section;

			if (nr >= map->section_limit)
				return false;
			if (!section_pages(map, nr, &vaddr)) {
				*pfn = (nr + 1) * map->pages_per_section;
				continue;
			}
			vaddr += first % map->pages_per_section * map->page_struct_size;
		}
		*pfn = first + count;
		*ret = (struct mem_map_run){ .pfn = first, .count = count, .vaddr = vaddr };
		return true;
	}
	return false;
}

bool mem_map_next(struct mem_map *map, uint64_t *pfn, uint64_t end_pfn, struct mem_map_run *ret)
{
	if (!next_place(map, pfn, end_pfn, ret))
		return false;
	ret->pages = get_structs(map, ret->vaddr, ret->count);
	return true;
}

void mem_map_find_frames(struct mem_map *map)
{
	struct mem_map_run run;

	for (uint64_t pfn = 0; next_place(map, &pfn, map->end_pfn, &run);)
		address_space_find_frames(map->space, run.vaddr, run.count * map->page_struct_size, &map->frames);
}
