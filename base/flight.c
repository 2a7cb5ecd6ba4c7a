/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/flight.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/klog.h"
#include "base/parse.h"

static const char *const words[KD_FLIGHT_KINDS] = {
	[KD_FLIGHT_START] = "start",   [KD_FLIGHT_CRASH] = "crash",   [KD_FLIGHT_PANIC] = "panic",
	[KD_FLIGHT_BEGIN] = "begin",   [KD_FLIGHT_END] = "end",       [KD_FLIGHT_FAILED] = "failed",
	[KD_FLIGHT_ERROR] = "error",   [KD_FLIGHT_TARGET] = "target", [KD_FLIGHT_DIRECTORY] = "directory",
	[KD_FLIGHT_SAVED] = "saved",   [KD_FLIGHT_VETO] = "veto",     [KD_FLIGHT_AGAIN] = "again",
	[KD_FLIGHT_RESULT] = "result", [KD_FLIGHT_ACTION] = "action",
};

bool kd_flight_is_id(const char *id)
{
	return strspn(id, "0123456789abcdef") == KD_FLIGHT_ID && id[KD_FLIGHT_ID] == '\0';
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Put an event into its place; the text is cut to what fits. NULL: no room. */
static const struct kd_flight_event *insert(struct kd_flight *flight, uint32_t number, int64_t time,
					    enum kd_flight_kind kind, const char *text)
{
	size_t length = strnlen(text, KD_FLIGHT_TEXT - 1), place = flight->count, i;
	struct kd_flight_event *event;

	if (flight->count == KD_FLIGHT_EVENTS || flight->used + length + 1 > KD_FLIGHT_POOL ||
	    (kind == KD_FLIGHT_ERROR && flight->errors == KD_FLIGHT_ERRORS))
		return NULL;
	while (place && flight->event[place - 1].number > number)
		place--;
	if (place && flight->event[place - 1].number == number)
		return NULL;
	event = &flight->event[place];
	memmove(event + 1, event, (flight->count - place) * sizeof(*event));
	*event = (struct kd_flight_event){ time, number, (uint16_t)kind, (uint16_t)flight->used };
	for (i = 0; i < length; i++)
		flight->pool[flight->used + i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
	flight->pool[flight->used + length] = '\0';
	flight->used += (uint32_t)length + 1;
	flight->count++;
	flight->errors += kind == KD_FLIGHT_ERROR;
	return event;
}

const struct kd_flight_event *kd_flight_add(struct kd_flight *flight, int64_t time, enum kd_flight_kind kind,
					    const char *fmt, ...)
{
	char text[KD_FLIGHT_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return insert(flight, flight->next++, time, kind, text);
}

void kd_flight_line(const struct kd_flight *flight, const struct kd_flight_event *event,
		    char buf[static KD_FLIGHT_LINE])
{
	const char *text = kd_flight_text(flight, event);

	snprintf(buf, KD_FLIGHT_LINE, KD_FLIGHT_MARK "%s %" PRIu32 " %" PRId64 " %s%s%s", flight->id, event->number,
		 event->time, words[event->kind], *text ? " " : "", text);
}

void kd_flight_write(FILE *out, const struct kd_flight *flight)
{
	char line[KD_FLIGHT_LINE];
	uint32_t i;

	for (i = 0; i < flight->count; i++) {
		kd_flight_line(flight, &flight->event[i], line);
		fprintf(out, "%s\n", line);
	}
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Copy the next word of *cursor, which ends at a blank or at the end of the text. False: @buf is too small. */
static bool next_word(const char **cursor, char *buf, size_t size)
{
	size_t length = strcspn(*cursor, " ");

	if (length >= size)
		return false;
	memcpy(buf, *cursor, length);
	buf[length] = '\0';
	*cursor += length + ((*cursor)[length] == ' ');
	return true;
}

static bool next_number(const char **cursor, uint64_t max, uint64_t *ret)
{
	char word[24];

	return next_word(cursor, word, sizeof(word)) && kd_parse_u64(word, 10, ret) && *ret <= max;
}

static bool find_kind(const char *word, enum kd_flight_kind *ret)
{
	size_t i;

	for (i = 0; i < KD_FLIGHT_KINDS; i++) {
		if (strcmp(words[i], word) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* A message of a log, behind its level and its time: "<6>[   12.345678] …". */
static const char *message_of(const char *line)
{
	size_t level = *line == '<' ? strspn(line + 1, "0123456789") : 0;

	return kd_klog_message(level && line[level + 1] == '>' ? line + level + 2 : line, NULL);
}

static void parse_line(const char *line, struct kd_flight *flight)
{
	const char *cursor = message_of(line);
	char id[KD_FLIGHT_ID + 1], word[16];
	uint64_t number, time;
	enum kd_flight_kind kind;

	if (!kd_starts_with(cursor, KD_FLIGHT_MARK))
		return;
	cursor += strlen(KD_FLIGHT_MARK);
	if (!next_word(&cursor, id, sizeof(id)) || !kd_flight_is_id(id) ||
	    (*flight->id && strcmp(id, flight->id) != 0) || !next_number(&cursor, UINT32_MAX - 1, &number) ||
	    !next_number(&cursor, INT64_MAX / 1000, &time) || !next_word(&cursor, word, sizeof(word)) ||
	    !find_kind(word, &kind))
		return;
	memcpy(flight->id, id, sizeof(id));
	if (insert(flight, (uint32_t)number, (int64_t)time, kind, cursor) && number >= flight->next)
		flight->next = (uint32_t)number + 1;
}

size_t kd_flight_parse(const char *text, struct kd_flight *ret)
{
	size_t size = strlen(text);
	char line[1024];

	*ret = (struct kd_flight){ 0 };
	if (size > KD_FLIGHT_LOG)
		text += size - KD_FLIGHT_LOG;
	while (*text) {
		size_t length = strcspn(text, "\n");

		/* A longer line is not one of ours, but its beginning is looked at all the same. */
		snprintf(line, sizeof(line), "%.*s", (int)length, text);
		parse_line(line, ret);
		text += length + (text[length] == '\n');
	}
	return ret->count;
}

const struct kd_flight_event *kd_flight_end_of(const struct kd_flight *flight, size_t begin)
{
	const char *name = kd_flight_text(flight, &flight->event[begin]);
	size_t i;

	for (i = begin + 1; i < flight->count; i++) {
		const struct kd_flight_event *event = &flight->event[i];

		if ((event->kind == KD_FLIGHT_END || event->kind == KD_FLIGHT_FAILED) &&
		    strcmp(kd_flight_text(flight, event), name) == 0)
			return event;
	}
	return NULL;
}

const struct kd_flight_event *kd_flight_last(const struct kd_flight *flight, enum kd_flight_kind kind)
{
	size_t i = flight->count;

	while (i && flight->event[i - 1].kind != kind)
		i--;
	return i ? &flight->event[i - 1] : NULL;
}
