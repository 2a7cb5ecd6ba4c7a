/* SPDX-License-Identifier: GPL-2.0-or-later */
/** From the vmcore to the writer: read, look for zeros, compress, place.
 *
 *  Work comes in units of up to PAGE_UNIT_MAX kept pages. What a unit needs (a window, a codec's context, buffers)
 *  belongs to one worker, and units may be placed in any order.
 */
#ifndef DUMPFILTER_PIPELINE_H
#define DUMPFILTER_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "dumpfilter/codec.h"
#include "dumpfilter/erase.h"
#include "dumpfilter/pfn_bitmap.h"
#include "dumpfilter/vmcore.h"
#include "dumpfilter/writer.h"

struct pipeline {
	const struct vmcore *vmcore;
	uint64_t page_size;
	const struct pfn_bitmap *kept;
	/* Pages are written in passes: those of @first, those of @second, the others, those of @last. */
	const struct pfn_bitmap *first, *second, *last;
	const struct codec *codec; /* NULL: store pages as they are */
	bool share_zero_pages;
	const struct erase *erase; /* NULL: nothing */
	const struct writer_ops *ops;
	struct writer *writer;
	void (*progress)(void *arg, uint64_t done, uint64_t total); /* may be NULL */
	void *progress_arg;

	/* Results. */
	uint64_t zero, unreadable, written;
};

/** On error the results say how far it got. */
struct kd_error *pipeline_run(struct pipeline *pipeline) MUST_CHECK;

#endif
