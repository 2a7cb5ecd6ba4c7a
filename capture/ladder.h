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
 *  On a full disk only "filter" can help, as the smallest, and only if an estimate says that it fits.
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
	uint64_t file_size; /* bytes of the incomplete dump, which is removed if that makes the room for a better one */
	uint64_t filter_size; /* bytes that RUNG_FILTER needs; UINT64_MAX: not known */
};

/** Is the disk or server at fault, so that no other collector helps? /proc/vmcore itself fails with EFAULT or ENOMEM.
 */
bool ladder_is_target_error(int errnum);

/** Does ladder_next() need to know filter_size, which takes time to find? */
bool ladder_needs_estimate(enum rung rung, const struct ladder_facts *facts);

/** The rung to try after @rung on the same target. RUNG_NONE: no rung can help on this target (no
 *  time, no space, broken disk); take the next target. */
enum rung ladder_next(enum rung rung, const struct ladder_facts *facts);

/** On a full disk, room for the next rung can come only from the incomplete dump: must that go first? Never unless the
 *  next one can be expected to be complete: an incomplete one of the same disk would have the same pages, since those
 *  that matter most are written first, and if it was interrupted there would be neither. */
bool ladder_must_replace(const struct ladder_facts *facts);

/** A dump as it is on the disk. */
struct ladder_standing {
	bool complete;
	bool front;     /* it has the pages that readers need first */
	bool chosen;    /* its pages were chosen; a copy begins with whatever comes first */
	uint64_t pages; /* that it has, as far as known */
};
/** Is the dump @one worth more than @other, which is there already and stays if they are equal? */
bool ladder_is_better(const struct ladder_standing *one, const struct ladder_standing *other);

/** How fast a collector is. */
struct ladder_pace {
	uint64_t done, total; /* pages; @total 0: not known */
	int64_t elapsed_ms;   /* since it began */
	uint64_t recent_done; /* pages */
	int64_t recent_ms;    /* in this part of the time, the last one */
	int64_t left_ms;      /* of the time for the dump */
	bool next;            /* another target follows */
};

enum { LADDER_PACE_MS = 60 * 1000 }; /* so long a collector works before its speed counts */

/** Should this target be given up for the next one, because the dump could not be finished here in the time that is
 *  left? Only if more than twice that time would be needed, at the speed from the beginning as well as at the last one,
 *  and while the next target would have at least three quarters of the time: after that, the pages that are here
 *  already are worth more. */
bool ladder_is_too_slow(const struct ladder_pace *pace);

#endif
