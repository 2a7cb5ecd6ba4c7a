/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Pages that are in the dump already, so that equal ones are stored once.
 *
 *  Pages are told apart by a keyed hash alone, NH of UMAC (Black, Halevi, Krawczyk, Krovetz, Rogaway, CRYPTO '99), with
 *  64-bit words: whatever two different pages hold, they collide for at most one of 2^64 keys, and a new key is drawn
 *  for every dump, after its pages were written by the kernel. Each page is looked for among at most 2^18 others, so
 *  that even a dump of 1 TiB of pages in use (2^28) has one wrong page with a probability below 2^-18; memory and disks
 *  are worse.
 */
#ifndef DUMPFILTER_WRITE_PAGE_SHARE_H
#define DUMPFILTER_WRITE_PAGE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* Bytes of memory: with less than MIN the search is not worth it, and more than MAX makes no dump smaller. Powers of
 * two. */
#define PAGE_SHARE_BYTES_MIN (UINT64_C(1) << 20)
#define PAGE_SHARE_BYTES_MAX (UINT64_C(8) << 20)

struct page_hash {
	uint64_t low, high;
};

/** Where a page is in the file. */
struct page_place {
	uint64_t offset;
	uint32_t size;
	uint32_t flags;
};

struct page_share;

/** How large a table is good for a dump of so many pages, if it may have @bytes. */
uint64_t page_share_bytes(uint64_t pages, uint64_t bytes);

/** @bytes: a power of two, at least PAGE_SHARE_BYTES_MIN. NULL: no memory, or no random numbers. */
struct page_share *page_share_create(size_t page_size, uint64_t bytes);
void page_share_destroy(struct page_share *share); /* NULL is allowed */
DEFINE_CLEANUP(struct page_share *, page_share_destroy)

/** Thread-safe, but page_share_find() and page_share_add(), which want a lock around them. */
struct page_hash page_share_hash(const struct page_share *share, const void *page);
static inline bool page_hash_equal(struct page_hash a, struct page_hash b)
{
	return a.low == b.low && a.high == b.high;
}

/** False: not known. */
bool page_share_find(const struct page_share *share, struct page_hash hash, struct page_place *ret);
/** The page has been written to @place. It may take the place of another one in the table. */
void page_share_add(struct page_share *share, struct page_hash hash, const struct page_place *place);

#endif
