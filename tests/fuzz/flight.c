/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flight record: whatever the text is, the record stays within its bounds, its events are in order and have texts
 * that end, and what was read is written as lines that give the same record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/flight.h"
#include "tests/fuzz/fuzz.h"

static char *written(const struct kd_flight *flight)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	REQUIRE(out);
	kd_flight_write(out, flight);
	REQUIRE(fclose(out) == 0);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kd_flight flight, again;
	_cleanup_free_ char *text = fuzz_text(data, size), *first = NULL, *second = NULL;
	size_t count = kd_flight_parse(text, &flight), i;

	REQUIRE(count == flight.count && count <= KD_FLIGHT_EVENTS && flight.used <= KD_FLIGHT_POOL);
	REQUIRE(flight.errors <= KD_FLIGHT_ERRORS);
	REQUIRE(!count || kd_flight_is_id(flight.id));
	for (i = 0; i < count; i++) {
		const struct kd_flight_event *event = &flight.event[i];

		REQUIRE(event->kind < KD_FLIGHT_KINDS && event->text < flight.used);
		REQUIRE(strlen(kd_flight_text(&flight, event)) < KD_FLIGHT_TEXT);
		REQUIRE(!i || flight.event[i - 1].number < event->number);
		if (event->kind == KD_FLIGHT_BEGIN)
			(void)kd_flight_end_of(&flight, i);
	}
	first = written(&flight);
	REQUIRE(kd_flight_parse(first, &again) == count);
	second = written(&again);
	REQUIRE(strcmp(first, second) == 0);
	return 0;
}
