/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Which pages a dump has, and which of them are worth writing before the others. */
#ifndef DUMPFILTER_SELECTION_H
#define DUMPFILTER_SELECTION_H

#include <stdint.h>

#include "base/error.h"
#include "dumpfilter/crash.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/page_order.h"
#include "dumpfilter/pfn_bitmap.h"

struct selection {
	uint64_t end_pfn;
	struct pfn_bitmap kept;
	struct page_order order;
};

/** Decide about every page of @crash, which has been opened. What goes wrong with that costs filtering, not the dump, and
 *  is said. @report: what was found is filled in. To be released in any case. KD_ERR_NOMEM. */
struct kd_error *selection_make(struct selection *selection, struct crash *crash,
				const struct dumpfilter_options *options, struct dumpfilter_report *report) MUST_CHECK;
void selection_release(struct selection *selection);
static inline void selection_release_cleanup(struct selection *selection)
{
	selection_release(selection);
}

#endif
