/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Placement: which bytes go to which physical addresses. Plain data; kexec_call.h hands it to the kernel. */
#ifndef KDUMP_LOADER_SEGMENTS_H
#define KDUMP_LOADER_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/ranges.h"

#define SEGMENT_MAX  16   /* KEXEC_SEGMENT_MAX */
#define SEGMENT_PAGE 4096 /* addresses and sizes are multiples of this at least */

struct segment {
	const char *name;
	void *buf; /* borrowed; bufsz bytes of it are copied, zeros follow up to memsz */
	size_t bufsz;
	uint64_t mem;
	uint64_t memsz;
	uint64_t offset;  /* of mem from an aligned address */
	uint64_t reserve; /* so many bytes from mem on are kept free of other segments, if it is more than memsz */
	bool unchecked;   /* the purgatory does not compare it with its checksum */
};

struct segments {
	struct segment segment[SEGMENT_MAX];
	size_t count;
	uint64_t page;         /* addresses and sizes are multiples of this (a power of two); 0: of SEGMENT_PAGE */
	struct kd_ranges free; /* where segments can still go */
};

/** Where in the free memory a segment goes. */
struct segment_place {
	uint64_t align; /* a power of two, at least SEGMENT_PAGE */
	uint64_t low, high;
	bool top_down;
};

/** Append a copy of @segment with memsz rounded up to pages and mem chosen by @place. *mem_ret (may be NULL) := mem.
 *  KD_ERR_LIMIT when it fits nowhere. */
struct kd_error *segments_add(struct segments *segments, const struct segment *segment,
			      const struct segment_place *place, uint64_t *mem_ret) MUST_CHECK;

/** Keep @size bytes at the bottom of the free memory free of segments. KD_ERR_LIMIT if they do not fit. */
struct kd_error *segments_leave_hole(struct segments *segments, uint64_t size) MUST_CHECK;

/** NULL if there is none of this name. */
const struct segment *segments_find(const struct segments *segments, const char *name);

void segments_free(struct segments *segments);

static inline uint64_t segment_round(uint64_t size)
{
	return (size + SEGMENT_PAGE - 1) & ~(uint64_t)(SEGMENT_PAGE - 1);
}

#endif
