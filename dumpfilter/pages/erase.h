/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Pieces of physical memory that are overwritten before a page goes into the dump. */
#ifndef DUMPFILTER_PAGES_ERASE_H
#define DUMPFILTER_PAGES_ERASE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "dumpfilter/kernel/address_space.h"

/** The value of erased bytes; a pointer that is nullified becomes zeros. */
#define ERASE_FILL 'X'

/** [start, end) lies within one page. */
struct erase_range {
	uint64_t start, end; /* physical */
	uint8_t fill;
};

/** A zeroed struct erases nothing. */
struct erase {
	struct erase_range *range; /* by rising start, once sorted */
	size_t count, capacity;
	/** The dump's record of it: "erase EXPRESSION size BYTES" and "erase EXPRESSION nullify" lines. */
	char *info;
	size_t info_size;
};

void erase_release(struct erase *erase);
static inline void erase_release_cleanup(struct erase *erase)
{
	erase_release(erase);
}

/** Add [@vaddr, @vaddr + @size) of the crashed kernel's memory. On error, parts of it may have been added.
 *  KD_ERR_HOLE: not all of it is mapped; KD_ERR_LIMIT: too many pieces. */
struct kd_error *erase_add(struct erase *erase, struct address_space *space, uint64_t vaddr, uint64_t size,
			   uint8_t fill) MUST_CHECK;
/** To be called when all is added, and before anything is applied. */
void erase_sort(struct erase *erase);

/** The contents @data of the @size bytes at @paddr (whole pages), as the dump may have
 *  them: @data itself, or a copy in @buf (of @size bytes) where something had to be overwritten. @erase may be NULL. */
const uint8_t *erase_apply(const struct erase *erase, uint64_t paddr, const uint8_t *data, size_t size, uint8_t *buf);

/** Overwrite in @buf, which was read from @vaddr, what has to be erased. @erase may be NULL. */
void erase_apply_virtual(const struct erase *erase, struct address_space *space, uint64_t vaddr, void *buf,
			 size_t size);

#endif
