/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The kdump-compressed format, version 6, as crash, libkdumpfile and makedumpfile read it (64-bit little-endian).
 *
 *      block 0            struct kdump_header
 *      block 1 …          struct kdump_sub_header, and behind it the ELF notes
 *      bitmap 1           one bit per page frame: is there memory?
 *      bitmap 2           one bit per page frame: does the dump have it?
 *      page_descs         one for each bit of bitmap 2 that is set, in the order of page frames
 *      data               pages, anywhere; equal ones may share their data
 *
 *  A block is a page of the crashed kernel. A page_desc that is all zeros is a page that the dump lacks: it could not
 *  be read, or writing was cut off (and then KDUMP_STATUS_INCOMPLETE is set).
 */
#ifndef DUMPFILTER_VMCORE_KDUMP_FORMAT_H
#define DUMPFILTER_VMCORE_KDUMP_FORMAT_H

#include <stdint.h>

#include "dumpfilter/codec/codec_flag.h"

#define KDUMP_SIGNATURE               "KDUMP   "
#define KDUMP_VERSION                 6
#define KDUMP_STATUS_INCOMPLETE       0x8u
#define KDUMP_STATUS_EXCLUDED_VMEMMAP 0x10u

/** The bits of a dump level (makedumpfile -d): the pages that are left out. */
enum dump_level {
	DUMP_LEVEL_ZERO = 1,          /* zero pages: stored once */
	DUMP_LEVEL_CACHE = 2,         /* page cache without private data */
	DUMP_LEVEL_CACHE_PRIVATE = 4, /* all page cache */
	DUMP_LEVEL_USER = 8,
	DUMP_LEVEL_FREE = 16,
	DUMP_LEVEL_MAX = 31,
};

struct kdump_header {
	char signature[8];
	uint32_t header_version;
	char utsname[6][65];
	char padding[6];
	uint64_t time_sec;
	uint64_t time_usec; /* 0: libkdumpfile probes a 32-bit layout here */
	uint32_t status;    /* enum codec_flag, KDUMP_STATUS_… */
	uint32_t block_size;
	uint32_t sub_header_blocks; /* with the notes */
	uint32_t bitmap_blocks;     /* both bitmaps */
	uint32_t max_mapnr;         /* saturated; the 64-bit one counts */
	uint32_t unused[4];
	uint32_t cpu_count;
};
_Static_assert(sizeof(struct kdump_header) == 464, "kdump header");

struct kdump_sub_header {
	uint64_t phys_base;
	uint32_t dump_level; /* enum dump_level */
	uint32_t split;
	uint64_t start_pfn;
	uint64_t end_pfn;
	uint64_t vmcoreinfo_offset;
	uint64_t vmcoreinfo_size;
	uint64_t notes_offset;
	uint64_t notes_size;
	uint64_t eraseinfo_offset;
	uint64_t eraseinfo_size;
	uint64_t start_pfn_64;
	uint64_t end_pfn_64;
	uint64_t max_mapnr_64;
};
_Static_assert(sizeof(struct kdump_sub_header) == 104, "kdump sub header");

struct page_desc {
	uint64_t offset; /* in the file */
	uint32_t size;
	uint32_t flags; /* enum codec_flag */
	uint64_t page_flags;
};
_Static_assert(sizeof(struct page_desc) == 24, "page_desc");

#endif
