/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The use of a page, read from its struct page (Linux include/linux/mm_types.h, page-flags.h).
 *
 *  Offsets, flag bits and type values come from VMCOREINFO, and whether they are there decides: where something is
 *  missing, pages of that class are kept. A page kept by mistake is harmless; one dropped by mistake may be the one
 *  that is needed.
 */
#ifndef DUMPFILTER_PAGES_PAGE_CLASS_H
#define DUMPFILTER_PAGES_PAGE_CLASS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "dumpfilter/kernel/vmcoreinfo.h"

/** Page classes, in the order in which they are decided (dump level bits in brackets). */
enum page_class {
	PAGE_KEEP,          /* always in the dump */
	PAGE_ZERO,          /* [1] kept, but stored once */
	PAGE_CACHE,         /* [2] page cache without private data */
	PAGE_CACHE_PRIVATE, /* [4] page cache with private data */
	PAGE_USER,          /* [8] anonymous memory, hugetlb */
	PAGE_FREE,          /* [16] free in the buddy allocator */
	PAGE_HWPOISON,      /* never read */
	PAGE_OFFLINE,       /* ballooned or logically offline */
	PAGE_UNACCEPTED,    /* [16] memory of a confidential guest that was never accepted */
	PAGE_CLASS_COUNT
};
/** "keep", "zero", "cache", "cache_private", "user", "free", "hwpoison", "offline", "unaccepted". */
const char *page_class_name(enum page_class page_class);
/** Is the class left out at this dump level? */
bool page_class_dropped(enum page_class page_class, unsigned int level);

/** A value of page->page_type, which shares its word with _mapcount. */
struct page_type_rule {
	bool known;
	uint32_t value;
	/* Bits that are compared. Since 6.12 (4ffca5a96678 "mm: support only one page_type per page") the type is the
	 * top byte, and the rest is its owner's. */
	uint32_t mask;
};

/** How a compound page's order, and that it is hugetlb, is coded. */
enum compound_rule {
	COMPOUND_UNKNOWN,
	/* Until 6.5: bytes in the first tail page: order, and an id of the destructor. */
	COMPOUND_DTOR,
	/* 6.6 (9c5ccf2db04b "mm: remove HUGETLB_PAGE_DTOR") to 6.8: order in the low byte of the first tail's flags,
	 * and a flag there. */
	COMPOUND_FLAG,
	/* Since 6.9 (d99e3140a4d3 "mm: turn folio_test_hugetlb into a PageType"): order there too, and a page type in
	 * the head. */
	COMPOUND_PAGE_TYPE,
};

struct page_rules {
	uint64_t struct_size;
	/* Offsets in struct page. */
	uint64_t flags, mapping, mapcount, private_data, compound_head;
	bool has_private, fake_heads; /* compound_head has the head's address, so that fake heads can be told */
	/* Masks of page->flags; 0: not known. */
	uint64_t lru, private_flag, swapcache, swapbacked, slab_flag, hwpoison, head;
	struct page_type_rule slab, buddy, offline, unaccepted, hugetlb;
	uint64_t free_orders; /* LENGTH(zone.free_area) */
	enum compound_rule compound;
	uint64_t order_offset, dtor_offset; /* from the first tail's start */
	uint8_t hugetlb_dtor;
	bool has_hugetlb_dtor;
	uint64_t hugetlb_flag; /* in the first tail's flags */
	uint64_t boot_flag;    /* mask of the flag of pages that were never given to the allocator; 0: not known */
	/* Borrowed: addresses of the slab caches of tasks and what leads to them. */
	const uint64_t *cache;
	size_t cache_count;
	uint64_t lowest_cache, highest_cache;
};

/** KD_ERR_FORMAT if not even the basic fields are known. Other missing keys are logged once, as debug lines. */
struct kd_error *page_rules_init(struct page_rules *rules, const struct vmcoreinfo *info,
				 const struct kd_log *log) MUST_CHECK;

/** From now on slabs of these caches are told from others (INTEREST_TASK). @cache: virtual addresses of struct
 * kmem_cache, borrowed. */
void page_rules_set_caches(struct page_rules *rules, const uint64_t *cache, size_t count);

/** Who may want to see a page that is kept. */
enum page_interest {
	INTEREST_NONE,
	INTEREST_SLAB, /* where the kernel's lists lead */
	INTEREST_TASK, /* slab too: tasks, and what leads to them */
	INTEREST_BOOT, /* allocated while booting: per-CPU areas, the log, the large hash tables */
};

/** Learn what pages from before the page allocator look like (PG_reserved has no key) from the struct page of one of
 *  them. */
void page_rules_learn_boot(struct page_rules *rules, const uint8_t *page);

/** The meaning of @page, the struct page at virtual address @vaddr for @pfn, for [pfn, pfn + count). */
struct page_verdict {
	enum page_class class;
	uint64_t count;
	enum page_interest interest;
};

/** @next is the struct page behind it; NULL: it has not been read. Poison is checked for hugetlb pages only: one
 *  poisoned piece makes all of the page PAGE_HWPOISON, because the head does not tell which piece it is. */
struct page_verdict page_classify(const struct page_rules *rules, uint64_t pfn, uint64_t vaddr, const uint8_t *page,
				  const uint8_t *next);

static inline uint64_t page_get_u64(const uint8_t *page, uint64_t offset)
{
	uint64_t value;

	memcpy(&value, page + offset, sizeof(value));
	return value;
}

/** The kernel fills structs that it has not initialised with ones; so do we where they could not be read. */
static inline bool page_flags_uninitialised(uint64_t flags)
{
	return flags == ~UINT64_C(0);
}

/** Is this very frame poisoned (head, tail or single)? It must not be read, whatever class it has. Here, because it
 *  is asked of every page. */
static inline bool page_is_poisoned(const struct page_rules *rules, const uint8_t *page)
{
	uint64_t flags = page_get_u64(page, rules->flags);

	return (flags & rules->hwpoison) && !page_flags_uninitialised(flags);
}

#endif
