/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What the memory of the running machine is used for, by dumpfilter's classes: the size of a dump, before the crash.
 */
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
	bool flags; /* by /proc/kpageflags; otherwise roughly, by /proc/meminfo */
};

/** Count. Large machines are sampled, in runs of pages that lie evenly over their RAM: 1 Mi pages at most are looked
 * at. Without root /proc/iomem hides its addresses, and /proc/meminfo has to do. KD_ERR_OS, KD_ERR_FORMAT. */
struct kd_error *census_take(const struct kd_sysroot *root, struct census *ret) MUST_CHECK;

/** The class of a page with @flags (a word of /proc/kpageflags, Linux include/uapi/linux/kernel-page-flags.h), by the
 * rules of dumpfilter/pages/page_class.c; @head: class of the compound page that is open, which its tails share. */
enum page_class census_classify(uint64_t flags, enum page_class *head);

/** The dump that a collector would write. */
struct census_dump {
	unsigned int level;  /* dump level */
	uint64_t pages;      /* that are kept */
	unsigned int permil; /* stored bytes for 1000 bytes of pages */
	bool measured;       /* permil is that of the machine's last capture */
	uint64_t bytes;      /* size of the file */
};

/** @collector: argv of core_collector; one that is not understood is taken to copy all of the memory.
 *  Without a recorded capture with the same command line lzo and snappy are taken to leave 45 %, zlib and zstd 35 %
 *  (measured: 35 to 45 % for lzo at level 31). Every page costs 24 bytes of index, and two bitmaps cover all. */
void census_estimate(const struct kd_sysroot *root, const struct census *census, char *const *collector,
		     struct census_dump *ret);

#endif
