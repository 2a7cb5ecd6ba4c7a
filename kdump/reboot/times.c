/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/reboot/times.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "base/record.h"
#include "base/text.h"

/* --- clocks ------------------------------------------------------------------------------------------------------- */

static uint64_t counter(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

static uint64_t microseconds(clockid_t clock)
{
	struct timespec now = { 0 };

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void reboot_moment_now(struct reboot_moment *ret)
{
	static const struct timespec a_while = { .tv_nsec = 50000000 };
	uint64_t cycles = counter(), began = microseconds(CLOCK_MONOTONIC_RAW), took;

	nanosleep(&a_while, NULL);
	*ret = (struct reboot_moment){
		.cycles = counter(),
		.monotonic = microseconds(CLOCK_MONOTONIC),
		.realtime = microseconds(CLOCK_REALTIME),
	};
	took = microseconds(CLOCK_MONOTONIC_RAW) - began;
	if (ret->cycles > cycles && took)
		ret->hertz = (uint64_t)((double)(ret->cycles - cycles) * 1e6 / (double)took);
}

/* --- the record --------------------------------------------------------------------------------------------------- */

struct kd_error *reboot_note_write(const struct kd_sysroot *root, const struct reboot_note *note)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_format(&text,
					 "boot %s\nfrom %s\ncycles %" PRIu64 "\nhertz %" PRIu64 "\nmonotonic %" PRIu64
					 "\nrealtime %" PRIu64 "\n",
					 note->boot, note->from, note->command.cycles, note->command.hertz,
					 note->command.monotonic, note->command.realtime);

	return err ? err : kd_record_write(root, REBOOT_TIMES_PATH, text, strlen(text), 0644);
}

static bool take_line(char *line, struct reboot_note *note)
{
	const struct {
		const char *name;
		uint64_t *number;
		char *text;
		size_t size;
	} fields[] = {
		{ "boot", NULL, note->boot, sizeof(note->boot) },   { "from", NULL, note->from, sizeof(note->from) },
		{ "cycles", &note->command.cycles, NULL, 0 },       { "hertz", &note->command.hertz, NULL, 0 },
		{ "monotonic", &note->command.monotonic, NULL, 0 }, { "realtime", &note->command.realtime, NULL, 0 },
	};
	char *value = strchr(line, ' ');

	if (!value)
		return false;
	*value++ = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (strcmp(fields[i].name, line) != 0)
			continue;
		if (fields[i].number)
			return kd_parse_u64(value, 10, fields[i].number);
		return (size_t)snprintf(fields[i].text, fields[i].size, "%s", value) < fields[i].size;
	}
	return true; /* of a later version */
}

struct kd_error *reboot_note_read(const struct kd_sysroot *root, struct reboot_note *ret)
{
	_cleanup_free_ char *text = NULL;
	struct reboot_note note = { 0 };
	char *cursor, *line;
	struct kd_error *err = kd_record_read(root, REBOOT_TIMES_PATH, &text);

	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return kd_error_create(KD_ERR_NOT_FOUND, "no reboot by \"kdumpctl reboot\" was noted");
	}
	if (err)
		return err;
	cursor = text;
	while ((line = strsep(&cursor, "\n")))
		if (*line && !take_line(line, &note))
			return kd_error_create(KD_ERR_FORMAT, "%s is damaged at \"%s\"", REBOOT_TIMES_PATH, line);
	if (!*note.boot || !note.command.realtime)
		return kd_error_create(KD_ERR_FORMAT, "%s is not complete", REBOOT_TIMES_PATH);
	*ret = note;
	return NULL;
}

/* --- phases ------------------------------------------------------------------------------------------------------- */

static void set(struct reboot_times *times, enum reboot_phase phase, uint64_t from, uint64_t to)
{
	times->known[phase] = to > from;
	times->phase[phase] = to > from ? to - from : 0;
}

/* From the command to now. */
static uint64_t elapsed(const struct reboot_moment *then, const struct reboot_moment *now, bool *by_counter)
{
	*by_counter = then->hertz && now->hertz && now->cycles > then->cycles;
	if (*by_counter)
		return (uint64_t)((double)(now->cycles - then->cycles) * 1e6 / (double)now->hertz);
	return now->realtime > then->realtime ? now->realtime - then->realtime : 0;
}

void reboot_times_make(const struct reboot_note *note, const struct reboot_arrival *arrival, struct reboot_times *ret)
{
	const struct reboot_moment *then = &note->command, *now = &arrival->now;
	struct reboot_times times = { 0 };
	uint64_t since = elapsed(then, now, &times.by_counter), start;
	uint64_t first = arrival->initrd ? arrival->initrd : arrival->userspace;

	/* Of this kernel, counted from the command. */
	start = since > now->monotonic ? since - now->monotonic : 0;
	if (arrival->stopped > then->monotonic && arrival->stopped - then->monotonic < start)
		set(&times, REBOOT_PHASE_STOP, then->monotonic, arrival->stopped);
	set(&times, REBOOT_PHASE_JUMP, times.phase[REBOOT_PHASE_STOP], start);
	set(&times, REBOOT_PHASE_KERNEL, 0, first);
	if (arrival->initrd)
		set(&times, REBOOT_PHASE_INITRD, arrival->initrd, arrival->userspace);
	if (arrival->userspace)
		set(&times, REBOOT_PHASE_USERSPACE, arrival->userspace, arrival->reached);
	if (arrival->reached && start)
		set(&times, REBOOT_PHASE_TOTAL, 0, start + arrival->reached);
	*ret = times;
}
