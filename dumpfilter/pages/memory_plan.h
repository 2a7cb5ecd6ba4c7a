/* SPDX-License-Identifier: GPL-2.0-or-later */
/** How much memory a dump takes, and what it gives up when that would be too much.
 *
 *  Given up, in this order, are: a large table of pages with equal contents; further threads; any such table; bitmaps
 *  of all of the machine. Without the last one the dump is made in cycles, of one window of page frames at a time. That
 *  costs a few passes over the kernel's tables, whatever the size of the windows; so they are made small enough for the
 *  rest to come back.
 */
#ifndef DUMPFILTER_PAGES_MEMORY_PLAN_H
#define DUMPFILTER_PAGES_MEMORY_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Parts of the available memory when nobody says how much may be used. */
#define MEMORY_PART_DUMP    2 /* a dump may take one in two bytes: the kernel needs some to write */
#define MEMORY_PART_WORKERS 8 /* and one in eight may go to workers other than the first */

/** All but pages and threads in bytes. */
struct memory_needs {
	uint64_t limit;              /* that may be resident; UINT64_MAX: any number */
	bool strict;                 /* more than that is an error */
	uint64_t resident;           /* already, for as long as the dump takes */
	uint64_t peak;               /* resident at the worst moment so far */
	uint64_t tables;             /* for each thread to read struct pages */
	uint64_t mapping;            /* for each, to look at them where they are, and copy nothing */
	uint64_t worker;             /* for each thread to write */
	uint64_t share;              /* to know pages with equal contents, at most; 0: the format has no use for that */
	uint64_t share_least;        /* a power of two times this is taken */
	unsigned int threads;        /* that are wanted, at least 1 */
	uint64_t pages;              /* page frames of the machine */
	uint64_t bitmaps;            /* if there is one window of them all */
	unsigned int window_bitmaps; /* that windows have otherwise; 0: the format needs all pages at once */
	uint64_t window_pages;       /* at most so many at once, even if there is memory for more; 0: no limit */
};

struct memory_plan {
	unsigned int threads;  /* to write */
	unsigned int scanners; /* threads to read struct pages */
	uint64_t share;        /* bytes, as above */
	bool mapping;
	uint64_t window; /* page frames at a time, a multiple of 64; not less than there are: all at once */
	uint64_t memory; /* resident at the worst moment, at most */
};

/** KD_ERR_LIMIT: it cannot be done, and why. */
struct kd_error *memory_plan_make(const struct memory_needs *needs, struct memory_plan *ret) MUST_CHECK;

/** Bytes that this process has resident now, and had at most; zeros if that is not known. */
void memory_resident(uint64_t *now_ret, uint64_t *peak_ret);

/** MemAvailable in bytes; 0 if it is not known. */
uint64_t memory_available(void);

#endif
