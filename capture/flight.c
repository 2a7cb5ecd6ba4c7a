/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/flight.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/proc.h"
#include "capture/clock.h"
#include "capture/save.h"

/* The level of these lines: in the kernel's log, and not on a console that shows the capture to people. */
#define LEVEL "<6>"

static void put_line(const struct flight *flight, const struct kd_flight_event *event)
{
	char line[KD_FLIGHT_LINE];

	if (!event || !flight->log)
		return;
	kd_flight_line(flight->record, event, line);
	fprintf(flight->log->stream, LEVEL "%s\n", line);
	fflush(flight->log->stream);
}

void flight_begin(const struct flight *flight, uint64_t armed)
{
	char *id = flight->record->id;
	_cleanup_close_ int fd = open(KD_BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || kd_read_all(fd, id, KD_FLIGHT_ID) != KD_FLIGHT_ID || !kd_flight_is_id(id))
		memset(id, '0', KD_FLIGHT_ID);
	flight_note(flight, KD_FLIGHT_START, "%" PRIu64 " %" PRIu64, armed, (uint64_t)time(NULL));
}

void flight_note_at(const struct flight *flight, int64_t time, enum kd_flight_kind kind, const char *text)
{
	put_line(flight, kd_flight_add(flight->record, time, kind, "%s", text));
}

void flight_note(const struct flight *flight, enum kd_flight_kind kind, const char *fmt, ...)
{
	char text[KD_FLIGHT_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	flight_note_at(flight, clock_ms(), kind, text);
}

void flight_close(const struct flight *flight)
{
	size_t i = flight->record->count;

	while (i--) {
		if (flight->record->event[i].kind == KD_FLIGHT_BEGIN && !kd_flight_end_of(flight->record, i))
			flight_note(flight, KD_FLIGHT_FAILED, "%s",
				    kd_flight_text(flight->record, &flight->record->event[i]));
	}
}

void flight_repeat(const struct flight *flight)
{
	for (uint32_t i = 0; i < flight->record->count; i++)
		put_line(flight, &flight->record->event[i]);
}

static struct kd_error *put_record(FILE *out, void *arg)
{
	kd_flight_write(out, arg);
	return NULL;
}

struct kd_error *flight_save(int dir, const struct encryption *encryption, struct kd_flight *record)
{
	return save_file(dir, encryption, "flight-incomplete.log", KD_FLIGHT_FILE, put_record, record);
}
