/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Which way of dumping is tried next after one has failed. Decisions only: dump.c acts on them.
 *
 *  Each rung asks less of the crashed kernel's structures or of this kernel's memory than the one above it:
 *
 *      configured   what core_collector says
 *      filter       the built-in filter, kernel pages only (-d 31), fast compression
 *      store        the same without compression
 *      copy         /proc/vmcore as it is: no filter at all, if there is room for it
 *
 *  The log has been saved before the first of them.
 *  A core_collector that erases data (--config) has no rung below it: they would save what must not be saved.
 */
#ifndef CAPTURE_LADDER_H
#define CAPTURE_LADDER_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/child.h"

enum rung {
	RUNG_CONFIGURED,
	RUNG_FILTER,
	RUNG_STORE,
	RUNG_COPY,
	RUNG_NONE, /* the end of the ladder */
};
/** In report.json. */
const char *rung_name(enum rung rung);
/** For people, behind "trying again": "without compression, …". */
const char *rung_words(enum rung rung);

/** What is known when a rung has failed. */
struct ladder_facts {
	enum child_end end; /* how the collector ended */
	int errnum;         /* of its error, 0 if it had none */
	bool out_of_time;   /* the whole capture's deadline has passed */
	bool erases;        /* core_collector leaves data out that the rungs below it would save */
	bool plain_filter;  /* core_collector is what RUNG_FILTER does */
	uint64_t space;     /* bytes free on the target */
	uint64_t vmcore_size;
};

/** The rung to try after @rung on the same target. RUNG_NONE: nothing there can help (no time, no space, broken disk):
 *  take the next target. */
enum rung ladder_next(enum rung rung, const struct ladder_facts *facts);

#endif
