/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Dump formats: one row of operations each. A writer gets units of pages, in any order, and places them. */
#ifndef DUMPFILTER_WRITE_WRITER_H
#define DUMPFILTER_WRITE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/ranges.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/pages/pfn_bitmap.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "dumpfilter/write/output.h"

/** The description of a dump that goes into its headers. Pointers are borrowed for as long as the writer lives. */
struct dump_description {
	uint64_t page_size;
	uint64_t end_pfn;
	const struct kd_ranges *ram; /* bytes */
	bool whole_tails;            /* a page that is RAM only at its beginning does not exist */
	uint64_t kept_pages;
	const struct pfn_bitmap *kept; /* NULL: it comes in windows, see put_window */
	const void *notes;
	size_t notes_size;
	size_t vmcoreinfo_offset; /* of the text, in the notes */
	size_t vmcoreinfo_size;   /* 0: there is none */
	struct kernel_name name;
	uint64_t crash_time;
	uint64_t phys_base;
	unsigned int level;
	unsigned int cpu_count;
	uint32_t codec_flag;                  /* 0: no compression */
	const char *eraseinfo;                /* text: what was erased (an ELF file's note "ERASEINFO", type 0) */
	size_t eraseinfo_size;                /* 0: nothing was */
	uint16_t machine;                     /* e_machine */
	const struct vmcore_segment *segment; /* as the vmcore has them; NULL: it has none */
	size_t segment_count;
	/* For one file of several: it has the pages in [start_pfn, end_part_pfn) only, and all of the headers and
	 * bitmaps. */
	bool split;
	uint64_t start_pfn, end_part_pfn;
	/* For writer_split: the paths of all files but the first. */
	const char *const *part;
	unsigned int part_count;
};

enum unit_page_state {
	UNIT_PAGE_DATA,
	UNIT_PAGE_ZERO,
	UNIT_PAGE_SHARED,     /* equal to one that has been placed; only if the format can do that */
	UNIT_PAGE_UNREADABLE, /* nothing to place */
};

#define PAGE_UNIT_MAX 512

/** Pages on their way: the unit of work, made by one thread at a time. Ranks rise. */
struct page_unit {
	unsigned int count;
	struct unit_page {
		uint64_t pfn;
		uint64_t rank; /* how many kept pages lie below it */
		enum unit_page_state state;
		uint32_t flags; /* codec, or 0 */
		uint32_t size;
		uint64_t offset; /* in data, where equal pages share theirs; of UNIT_PAGE_SHARED: in the file */
	} page[PAGE_UNIT_MAX];
	uint8_t *data; /* as output_put() wants it */
	size_t used;
	uint64_t place; /* where the data went; set by the writer */
};

struct writer;

#define WRITER_SPLIT 1 /* --split */

struct writer_ops {
	const char *name;
	int option;        /* that selects it: a letter, or WRITER_SPLIT */
	bool uncompressed; /* pages are stored as they are, whatever the options say */
	/* Runs of excluded pages that are shorter are written with what is around them, as far as they may be read. */
	unsigned int gap_min;
	unsigned int run_memory; /* bytes that each run of kept pages takes */
	bool copies;             /* put() may need as much memory as a unit has once more */
	bool concurrent;         /* put() may be called by several threads at once */
	bool sharing;            /* equal pages can be stored once */
	/** Bytes of all but the pages. */
	uint64_t (*front_size)(const struct dump_description *dump);
	/** Write all but the pages, marked as incomplete; from now on the file can be opened. */
	struct kd_error *(*begin)(struct output *output, const struct dump_description *dump, struct writer **ret);
	/** Only if dump->kept was NULL: the kept pages of a window, before any of its pages comes. NULL: the format
	 * needs to know all of them at once. */
	struct kd_error *(*put_window)(struct writer *writer, const struct pfn_bitmap *kept);
	/** Place a unit's pages; as many as possible, if there is no room for all. */
	struct kd_error *(*put)(struct writer *writer, struct page_unit *unit);
	/** Bring what was placed so far to the disk, as far as that is possible; for after an error. */
	void (*give_up)(struct writer *writer);
	/** All pages are placed: sync, then say that the dump is complete. */
	struct kd_error *(*finish)(struct writer *writer);
	/** NULL is allowed. */
	void (*destroy)(struct writer *writer);
};

extern const struct writer_ops writer_kdump;
extern const struct writer_ops writer_elf;
extern const struct writer_ops writer_split; /* several kdump files */

/** The formats that a program writes beside writer_kdump, NULL-terminated: all (dumpfilter/write/writers.c), unless it
 *  defines this table itself; then only the formats that it names are linked. */
extern const struct writer_ops *const writers[];

#endif
