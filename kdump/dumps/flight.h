/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The record of the capture that made a dump: what its directory has of it. */
#ifndef KDUMP_DUMPS_FLIGHT_H
#define KDUMP_DUMPS_FLIGHT_H

#include <stdint.h>

#include "base/error.h"
#include "base/flight.h"
#include "kdump/dumps/dumps.h"

struct dump_flight {
	struct kd_flight *record; /* NULL: zeroed struct */
	char *panic;              /* of the capture kernel itself; NULL: it did not panic, as far as is known */
};

/** Read what KD_FLIGHT_FILE and PSTORE_FILE have, as one record. KD_ERR_NOT_FOUND: they have none; KD_ERR_NOMEM. */
struct kd_error *dump_read_flight(const struct dump *dump, struct dump_flight *ret) MUST_CHECK;
/** A zeroed struct is allowed. */
void dump_flight_free(struct dump_flight *flight);
static inline void dump_flight_free_cleanup(struct dump_flight *flight)
{
	dump_flight_free(flight);
}

/** Seconds since the epoch: when the kernel crashed; if nobody could tell, when its capture began; 0: unknown. */
int64_t flight_crash_time(const struct kd_flight *flight);

#endif
