/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A census of the running machine's memory in dumpfilter's classes, which tells the size of a dump before the
 *  crash. */
#ifndef KDUMP_SIZING_CENSUS_H
#define KDUMP_SIZING_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sysroot.h"
#include "dumpfilter/dumpfilter.h"

struct census {
	uint64_t
		pages[PAGE_CLASS_COUNT]; /* PAGE_ZERO stays 0: which pages are zero is not known without reading them */
	uint64_t total;                  /* pages of RAM, without the reservation */
	uint64_t looked_at;              /* of them; fewer than total: a sample, scaled */
	uint64_t page_size;
	bool flags; /* counted by /proc/kpageflags; otherwise roughly, by /proc/meminfo */
};

/** Count the pages. On a large machine at most 1 Mi pages are looked at, in runs that lie evenly over RAM, and the
 *  result is scaled. Without root /proc/iomem hides its addresses, so /proc/meminfo is used. KD_ERR_OS,
 *  KD_ERR_FORMAT. */
struct kd_error *census_take(const struct kd_sysroot *root, struct census *ret) MUST_CHECK;

/** The class of a page with @flags (a word of /proc/kpageflags, Linux include/uapi/linux/kernel-page-flags.h), by
 *  the rules of dumpfilter/pages/page_class.c. *head is the class of the last compound page's head, which its tails
 *  share. */
enum page_class census_classify(uint64_t flags, enum page_class *head);

/** An estimate of the dump that a collector would write. */
struct census_dump {
	unsigned int level;  /* dump level */
	uint64_t pages;      /* that the dump keeps */
	unsigned int permil; /* stored bytes for 1000 bytes of pages */
	bool measured;       /* permil was measured in the last capture of this machine */
	uint64_t bytes;      /* size of the file */
};

/** @collector is the argv of core_collector. If it is not understood, it is assumed to copy all memory. The last
 *  capture with the same command line tells how well pages compress; without one, lzo and snappy are assumed to
 *  leave 45 %, zlib and zstd 35 % (measured: 35 to 45 % for lzo at level 31). Every page costs 24 bytes of index,
 *  and two bitmaps cover all pages. */
void census_estimate(const struct kd_sysroot *root, const struct census *census, char *const *collector,
		     struct census_dump *ret);

#endif
