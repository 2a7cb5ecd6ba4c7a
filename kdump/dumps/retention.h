/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Which dumps go, by the limits of kdump.conf: keep_dumps, keep_size, keep_days, keep_free. Deciding only. */
#ifndef KDUMP_DUMPS_RETENTION_H
#define KDUMP_DUMPS_RETENTION_H

#include "kdump/dumps/dumps.h"

/** What kdump.conf says; 0: no such limit. */
struct retention_limits {
	uint64_t dumps, days;
	uint64_t size;             /* bytes of all dumps together */
	uint64_t free;             /* bytes of the file system that stay free, or … */
	unsigned int free_percent; /* … percent of it: the larger one counts */
};

/** The file system that the dumps lie on, in bytes. */
struct retention_space {
	uint64_t available, total;
};

/** @why[i] := the directive that dump i offends and has to go for; NULL: it stays. The oldest go first; the newest one
 * and pinned ones stay whatever the limits say, and count towards them. @now: seconds since the epoch. */
void retention_decide(const struct retention_limits *limits, const struct dumps *dumps,
		      const struct retention_space *space, int64_t now, const char **why);

#endif
