/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/flight.h"

#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "kdump/dumps/pstore.h"

struct kd_error *dump_read_flight(const struct dump *dump, struct dump_flight *ret)
{
	_cleanup_free_ char *file = dump_read_member(dump, KD_FLIGHT_FILE, KD_FLIGHT_LOG / 2);
	_cleanup_free_ char *stored = dump_read_member(dump, PSTORE_FILE, KD_FLIGHT_LOG / 2), *all = NULL;
	struct dump_flight flight = { 0 };
	struct kd_error *err = kd_format(&all, "%s\n%s", file ? file : "", stored ? stored : "");

	if (!err && stored)
		err = pstore_panic(stored, &flight.panic);
	if (err)
		return err;
	flight.record = malloc(sizeof(*flight.record));
	if (!flight.record || !kd_flight_parse(all, flight.record)) {
		err = flight.record ? kd_error_create(KD_ERR_NOT_FOUND, "%s has no record of its capture", dump->path) :
				      kd_error_nomem();
		dump_flight_free(&flight);
		return err;
	}
	*ret = flight;
	return NULL;
}

void dump_flight_free(struct dump_flight *flight)
{
	free(flight->record);
	free(flight->panic);
	*flight = (struct dump_flight){ 0 };
}

/* Word @number (from 0) of the last event of @kind, as a time; 0: it has none. */
static int64_t event_time(const struct kd_flight *flight, enum kd_flight_kind kind, unsigned int number)
{
	const struct kd_flight_event *event = kd_flight_last(flight, kind);
	const char *p = event ? kd_flight_text(flight, event) : "";
	char word[24];
	uint64_t value;

	while (number-- && *p)
		p += strcspn(p, " ") + (p[strcspn(p, " ")] == ' ');
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(p, " "), p);
	return kd_parse_u64(word, 10, &value) && value <= INT32_MAX * INT64_C(64) ? (int64_t)value : 0;
}

int64_t flight_crash_time(const struct kd_flight *flight)
{
	int64_t crash = event_time(flight, KD_FLIGHT_CRASH, 0);

	return crash ? crash : event_time(flight, KD_FLIGHT_START, 1);
}
