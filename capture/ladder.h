/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Decide which way of dumping is tried next after one has failed; dump.c acts on the decision.
 *
 *  Each rung asks less of the crashed kernel's structures or of this kernel's memory than the one above it:
 *
 *      configured   the core_collector
 *      filter       the built-in filter, only kernel pages (-d 31), default compression
 *      store        the same without compression
 *      copy         /proc/vmcore without filtering, if there is room for it
 *
 *  The log is saved before the first rung. Below a core_collector that erases data (--config) there is no rung, because
 *  the lower rungs would save that data.
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
/** The rung's name in report.json. */
const char *rung_name(enum rung rung);
/** The rung in plain language, to follow "trying again": "without compression, …". */
const char *rung_words(enum rung rung);

/** The facts after a rung has failed. */
struct ladder_facts {
	enum child_end end; /* how the collector ended */
	int errnum;         /* of its error; 0: none */
	bool out_of_time;   /* the whole capture's deadline has passed */
	bool erases;        /* core_collector erases data that the lower rungs would save */
	bool plain_filter;  /* core_collector does the same as RUNG_FILTER */
	bool unreadable;    /* the collector has worked, but too much of /proc/vmcore cannot be read */
	uint64_t space;     /* bytes free on the target */
	uint64_t vmcore_size;
};

/** The rung to try after @rung on the same target. RUNG_NONE: no rung can help on this target (no
 *  time, no space, broken disk); take the next target. */
enum rung ladder_next(enum rung rung, const struct ladder_facts *facts);

#endif
