/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Choose the dumps to delete, by limits such as those of kdump.conf: keep_dumps, keep_size, keep_days, keep_free.
 *  Nothing is deleted here. */
#ifndef KDUMP_DUMPS_RETENTION_H
#define KDUMP_DUMPS_RETENTION_H

#include "kdump/dumps/dumps.h"

/** The limits; 0: no such limit. */
struct retention_limits {
	uint64_t dumps, days;
	uint64_t size;             /* bytes of all dumps together */
	uint64_t free;             /* bytes that must stay free on the file system, or … */
	unsigned int free_percent; /* … percent of its size: the larger one counts */
};

/** The file system of the dumps, in bytes. */
struct retention_space {
	uint64_t available, total;
};

/** @why[i] := the directive for which dump i must be deleted; NULL: the dump stays. The oldest dumps are deleted
 *  first. The newest dump and pinned dumps always stay, and count towards the limits. @now: seconds since the epoch. */
void retention_decide(const struct retention_limits *limits, const struct dumps *dumps,
		      const struct retention_space *space, int64_t now, const char **why);

#endif
