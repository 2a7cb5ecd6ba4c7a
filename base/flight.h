/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The flight record: what a capture did, and when, one event per line. It is small and made of text, so that every
 *  place can hold it: the dump's directory, the console, and the capture kernel's own log, which pstore carries over
 *  the reboot.
 *
 *      kdump-flight: ID NUMBER MILLISECONDS EVENT[ TEXT]
 *
 *  ID are eight hexadecimal digits that the lines of one capture have in common. NUMBER counts its events from 0, so
 *  that a line that arrives twice counts once. MILLISECONDS are the capture kernel's uptime. EVENT is a word of the
 *  table in flight.c; a line with an unknown word is skipped. The lines may stand anywhere in a kernel's log.
 *
 *  A record that is read is hostile: it may come from firmware, or from a disk that everybody can write. Its numbers
 *  are bounded here; its text is printed through base/visible.h.
 */
#ifndef BASE_FLIGHT_H
#define BASE_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

#define KD_FLIGHT_MARK "kdump-flight: "
#define KD_FLIGHT_FILE "flight.log" /* in the directory of a dump */

enum {
	KD_FLIGHT_ID = 8,        /* characters */
	KD_FLIGHT_EVENTS = 256,  /* of one record; later ones are lost */
	KD_FLIGHT_ERRORS = 32,   /* of them; later ones are only in the capture kernel's log */
	KD_FLIGHT_TEXT = 480,    /* bytes of an event's text, and a NUL; the rest is cut off */
	KD_FLIGHT_LINE = 576,    /* bytes of its line, and a NUL */
	KD_FLIGHT_POOL = 24576,  /* bytes of all texts */
	KD_FLIGHT_LOG = 1 << 20, /* bytes of a text that kd_flight_parse() looks at; its end counts */
};

enum kd_flight_kind {
	KD_FLIGHT_START,     /* "ARMED CLOCK": when the plan was made, and the hardware clock, since the epoch */
	KD_FLIGHT_CRASH,     /* "TIME RELEASE" of the crashed kernel; 0: the time is not known */
	KD_FLIGHT_PANIC,     /* the message that tells why it crashed */
	KD_FLIGHT_BEGIN,     /* a step's name (capture/report.h) */
	KD_FLIGHT_END,       /* a step's name: it has worked */
	KD_FLIGHT_FAILED,    /* a step's name: it has not */
	KD_FLIGHT_ERROR,     /* its text */
	KD_FLIGHT_TARGET,    /* "TYPE DEVICE" that is tried from now on */
	KD_FLIGHT_DIRECTORY, /* of this crash on that target */
	KD_FLIGHT_SAVED,     /* what lies there now: "log", "incomplete BYTES", "complete BYTES" */
	KD_FLIGHT_VETO,      /* kdump_pre has forbidden the dump */
	KD_FLIGHT_AGAIN,     /* why the capture was started a second time */
	KD_FLIGHT_RESULT,    /* of the capture: "complete", "incomplete", "log-only", "nothing" */
	KD_FLIGHT_ACTION,    /* what becomes of the machine: "reboot" … */
	KD_FLIGHT_KINDS,
};

struct kd_flight_event {
	int64_t time;    /* milliseconds of the capture kernel's uptime */
	uint32_t number; /* from 0, rising */
	uint16_t kind;   /* enum kd_flight_kind */
	uint16_t text;   /* where it begins in the pool */
};

/** A record. All sizes are fixed, so that processes can share it. Zeroed but for @id it is empty. */
struct kd_flight {
	char id[KD_FLIGHT_ID + 1];
	uint32_t next; /* number of the next event that is added */
	uint32_t count, errors;
	uint32_t used; /* bytes of the pool */
	struct kd_flight_event event[KD_FLIGHT_EVENTS];
	char pool[KD_FLIGHT_POOL];
};

/** Is @id eight lower-case hexadecimal digits? */
bool kd_flight_is_id(const char *id);

/** Add an event at @time. Control characters in its text become blanks. Returns it; NULL: there is no room, or there
 *  are too many errors. */
const struct kd_flight_event *kd_flight_add(struct kd_flight *flight, int64_t time, enum kd_flight_kind kind,
					    const char *fmt, ...) PRINTF_FORMAT(4, 5);

/** The text of @event. */
static inline const char *kd_flight_text(const struct kd_flight *flight, const struct kd_flight_event *event)
{
	return flight->pool + event->text;
}

/** @buf := the line of @event, without a newline. */
void kd_flight_line(const struct kd_flight *flight, const struct kd_flight_event *event,
		    char buf[static KD_FLIGHT_LINE]);

/** Write all of @flight, in lines. */
void kd_flight_write(FILE *out, const struct kd_flight *flight);

/** Collect the events in @text, the log of a kernel or a file of events, in the order of their numbers. The first line
 *  tells the record's ID; lines with another one are skipped. Returns how many there are: 0: @text has no record. */
size_t kd_flight_parse(const char *text, struct kd_flight *ret);

/** The event that ends the step which event number @begin in @flight->event[] begins; NULL: none does. */
const struct kd_flight_event *kd_flight_end_of(const struct kd_flight *flight, size_t begin);

/** The last event of @kind; NULL: there is none. */
const struct kd_flight_event *kd_flight_last(const struct kd_flight *flight, enum kd_flight_kind kind);

#endif
