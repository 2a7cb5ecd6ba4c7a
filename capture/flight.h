/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The flight recorder: every event of the capture goes into a record that process 1 and its workers share, and in the
 *  same moment into the capture kernel's log. From there it reaches whatever keeps that log, even if this kernel dies:
 *  pstore, a serial console. The record itself goes into the directory of the dump, and is what the report's steps and
 *  errors are made from. */
#ifndef CAPTURE_FLIGHT_H
#define CAPTURE_FLIGHT_H

#include <stdint.h>

#include "base/error.h"
#include "base/flight.h"
#include "base/log.h"
#include "capture/encrypt.h"

/** Borrowed. */
struct flight {
	struct kd_flight *record; /* shared; one process at a time adds to it */
	const struct kd_log *log;
};

/** Begin a record with the first digits of this boot's ID. */
void flight_begin(const struct flight *flight, uint64_t armed);

/** Note an event that happens now. */
void flight_note(const struct flight *flight, enum kd_flight_kind kind, const char *fmt, ...) PRINTF_FORMAT(3, 4);
/** One that happened at @time (clock_ms()). */
void flight_note_at(const struct flight *flight, int64_t time, enum kd_flight_kind kind, const char *text);

/** Note that every step that has begun and not ended has failed: whoever carried it out is dead. */
void flight_close(const struct flight *flight);

/** Write the whole record to the log once more, so that its end has all of it. */
void flight_repeat(const struct flight *flight);

/** Save the record as KD_FLIGHT_FILE in the directory @dir, encrypted if @encryption asks for it. */
struct kd_error *flight_save(int dir, const struct encryption *encryption, struct kd_flight *record) MUST_CHECK;

#endif
