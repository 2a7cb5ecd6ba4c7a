/* SPDX-License-Identifier: GPL-2.0-or-later */
/** From the vmcore to the writer: read, look for zeros and for known pages, compress, place.
 *
 *  Work comes in units of up to PAGE_UNIT_MAX kept pages. What a unit needs (a window, a codec's context, buffers)
 *  belongs to one worker, and units of one pass are placed as they are done, in any order; no page is placed before all
 *  pages of earlier passes are. A worker is a thread; one of them is the caller's, so that with one worker no thread is
 *  made.
 */
#ifndef DUMPFILTER_WRITE_PIPELINE_H
#define DUMPFILTER_WRITE_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/pages/erase.h"
#include "dumpfilter/pages/pfn_bitmap.h"
#include "dumpfilter/pages/vital.h"
#include "dumpfilter/vmcore/read_error.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "dumpfilter/write/page_share.h"
#include "dumpfilter/write/writer.h"

#define PIPELINE_PASSES 5u

/** The size of a page that is not in the sample. No page is so small, and none of its bytes is in the unit. */
#define PIPELINE_NO_SIZE 1u

struct pipeline {
	const struct vmcore *vmcore;
	uint64_t page_size;
	const struct pfn_bitmap *kept;
	/* Pages are written in passes, each of them in the first whose bitmap has it; the one without a bitmap takes
	 * those that no bitmap has. All bitmaps have the same size. */
	const struct pfn_bitmap *pass[PIPELINE_PASSES];
	unsigned int first_pass, end_pass; /* only these are made; end_pass 0: all */
	/* For bitmaps of a part of the machine, of which each has its own run: */
	uint64_t first_rank;       /* how many kept pages lie below it */
	uint64_t total;            /* pages of all runs, for progress(); 0: there is but one */
	const struct codec *codec; /* NULL: store pages as they are */
	unsigned int threads;      /* at most this many workers, at least one */
	unsigned int sample;       /* other than 0: of so many pages to be compressed only one is; see below */
	bool share_zero_pages;
	const struct erase *erase; /* NULL: nothing */
	const struct vital *vital; /* NULL: no page is */
	struct page_share *share;  /* NULL: store every other page by itself */
	const struct writer_ops *ops;
	struct writer *writer;
	/* May be NULL. Called by any worker, by one at a time. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *progress_arg;

	/* Results, of all runs. */
	uint64_t zero, shared, unreadable, written;
	uint64_t vital_unreadable; /* of unreadable */
	struct read_error first_unreadable;
	unsigned int failed_passes; /* bits of those of which pages are missing because of an error */
};

/** The first error ends it, when the units that are under way are done. On error the results say how far it got. */
struct kd_error *pipeline_run(struct pipeline *pipeline) MUST_CHECK;

/** Memory that one worker takes, in bytes, without its codec's. */
uint64_t pipeline_worker_memory(uint64_t page_size);
/** The part of it that a unit's compressed pages may fill. */
uint64_t pipeline_unit_memory(uint64_t page_size);

/** How many workers are good for this machine now: one for each CPU that this process may use, as long as their
 *  memory is no more than a small part of what is available. At least 1. */
unsigned int pipeline_default_threads(uint64_t page_size);

#endif
