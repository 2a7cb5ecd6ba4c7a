/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/story.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/klog.h"
#include "base/parse.h"
#include "base/text.h"

/* --- words -------------------------------------------------------------------------------------------------------- */

/* What a step does: "… failed". A step that is not here bears its own name. */
static const struct {
	const char *name, *words;
} steps[] = {
	{ "setup", "setting up the capture" },
	{ "quiesce", "stopping the devices' DMA" },
	{ "modules", "loading drivers" },
	{ "log", "reading the crashed kernel's log" },
	{ "save", "saving" },
	{ "connect", "reaching the target" },
	{ "save-log", "saving the log" },
	{ "pre", "the program before the dump" },
	{ "reserve", "reserving space for the report" },
	{ "dump", "making the dump" },
	{ "report", "writing the report" },
	{ "post", "the program after the dump" },
	{ "comeback", "the return by kexec" },
	{ "disconnect", "leaving the target" },
	{ "trace", "printing the end of the log" },
};

static const char *step_words(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (strcmp(steps[i].name, name) == 0)
			return steps[i].words;
	return name;
}

const char *story_end_words(enum story_end end)
{
	static const char *const words[] = {
		[STORY_COMPLETE] = "a complete dump",         [STORY_VETOED] = "no dump, as kdump_pre forbade it",
		[STORY_PARTIAL] = "an incomplete dump",       [STORY_LOG] = "only the crashed kernel's log",
		[STORY_NOTHING] = "neither a dump nor a log",
	};

	return words[end];
}

/* --- remedies ----------------------------------------------------------------------------------------------------- */

/* What to change after an error with these words, in a step of that name (NULL: any). A row may stand for more than one
 * cause; all that fit are told. */
static const struct {
	const char *step, *words, *remedy;
} remedies[] = {
	{ "connect", "has other contents",
	  "The target's disk or file system was replaced after kdump had been armed: run \"kdumpctl restart\"" },
	{ "connect", "did not appear",
	  "See that the target's disk works. If it does, \"kdumpctl check\" tells whether its driver is in the image "
	  "(extra_modules in kdump.conf adds one), and a larger device_timeout waits longer for a slow one" },
	{ "connect", "does not answer", "Test the target's disk (smartctl); it did not answer the capture kernel" },
	{ "connect", "cannot mount",
	  "Check the target's file system (fsck); the capture kernel could not mount it for writing" },
	{ "connect", "onnection refused", "See that the server's service runs and is reachable from this machine" },
	{ "connect", "unreachable",
	  "See that the network of the target works without what the healthy machine adds to it (firewall, DHCP)" },
	{ "connect", "imed out", "See that the server answers; a larger mount_timeout waits longer for it" },
	{ "connect", "ermission denied", "See that the server accepts this machine's key, host name or address" },
	{ NULL, "No space left", "Make room on the target, or limit what is kept (keep_free in kdump.conf)" },
	{ NULL, "Read-only file system", "Check the target's file system (fsck): it is read-only" },
	{ NULL, "nput/output error", "Test the target's disk (smartctl), or name another target in kdump.conf" },
	{ NULL, "annot allocate memory",
	  "Reserve more memory: \"kdumpctl estimate\" tells how much, \"kdumpctl reset-crashkernel SIZE\" sets it" },
	{ NULL, "signal 9",
	  "The capture kernel probably ran out of memory. Reserve more: \"kdumpctl estimate\" tells how much, "
	  "\"kdumpctl reset-crashkernel SIZE\" sets it" },
	{ "modules", "has not ended in its time",
	  "A driver did not finish. If the target does not need it, leave it out: "
	  "KDUMP_COMMANDLINE_APPEND=\"module_blacklist=NAME\" in /etc/sysconfig/kdump" },
	{ "dump", "no progress", "See why the target or the collector stalls; a larger stall_timeout waits longer" },
	{ "dump", "exit status", "Try the core_collector on this machine, or use the default one (dumpfilter -d 31)" },
	{ "pre", "", "Change kdump_pre: it ends with a failure, which forbids the dump" },
};

static void add_remedy(struct story *story, const char *remedy)
{
	size_t i;

	for (i = 0; i + 1 < STORY_REMEDIES && story->remedy[i]; i++)
		if (strcmp(story->remedy[i], remedy) == 0)
			return;
	if (i + 1 < STORY_REMEDIES)
		story->remedy[i] = remedy;
}

static void add_remedies(struct story *story, const char *step, const char *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(remedies); i++)
		if ((!remedies[i].step || strcmp(remedies[i].step, step) == 0) && strstr(error, remedies[i].words))
			add_remedy(story, remedies[i].remedy);
}

static void add_remedy_of_panic(struct story *story, const char *panic)
{
	const char *kind;

	kd_klog_weigh(panic, &kind);
	if (kind && strcmp(kind, "out-of-memory") == 0)
		add_remedy(story, "Reserve more memory: \"kdumpctl estimate\" tells how much, \"kdumpctl "
				  "reset-crashkernel SIZE\" sets it");
	else
		add_remedy(story,
			   "The log of the capture kernel (pstore.log beside the record) names the function that "
			   "failed. If it is a driver that the target does not need, leave it out: "
			   "KDUMP_COMMANDLINE_APPEND=\"module_blacklist=NAME\" in /etc/sysconfig/kdump");
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

static struct kd_error *add_line(struct story *story, int64_t time, const char *fmt, ...) PRINTF_FORMAT(3, 4);
static struct kd_error *add_line(struct story *story, int64_t time, const char *fmt, ...)
{
	struct story_line *grown = realloc(story->line, (story->count + 1) * sizeof(*grown));
	struct kd_error *err;
	va_list ap;

	if (!grown)
		return kd_error_nomem();
	story->line = grown;
	grown[story->count] = (struct story_line){ .seconds = (double)time / 1000 };
	va_start(ap, fmt);
	err = kd_vformat(&grown[story->count].text, fmt, ap);
	va_end(ap);
	story->count += !err;
	return err;
}

/* The innermost step that has begun and not ended before event @end; NULL: none. @begin_ret: where it begins. */
static const char *open_step(const struct kd_flight *flight, size_t end, size_t *begin_ret)
{
	for (size_t i = end; i--;) {
		const struct kd_flight_event *stop;

		if (flight->event[i].kind != KD_FLIGHT_BEGIN)
			continue;
		stop = kd_flight_end_of(flight, i);
		if (stop && stop < flight->event + end)
			continue;
		if (begin_ret)
			*begin_ret = i;
		return kd_flight_text(flight, &flight->event[i]);
	}
	return NULL;
}

static struct kd_error *tell_saved(struct story *story, const struct kd_flight_event *event, const char *text)
{
	static const struct {
		const char *word;
		enum story_end end;
	} ends[] = { { "complete", STORY_COMPLETE }, { "incomplete", STORY_PARTIAL }, { "log", STORY_LOG } };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		size_t length = strlen(ends[i].word);

		if (strncmp(text, ends[i].word, length) != 0 || (text[length] && text[length] != ' '))
			continue;
		if (ends[i].end < story->end)
			story->end = ends[i].end;
		return add_line(story, event->time, "saved %s%s%s%s", story_end_words(ends[i].end),
				text[length] ? " (" : "", text[length] ? text + length + 1 : "",
				text[length] ? " bytes)" : "");
	}
	return NULL;
}

/* A step that has failed, with the error before it; the first one of a target says why. */
static struct kd_error *tell_failed(struct story *story, const struct kd_flight *flight, size_t i)
{
	const struct kd_flight_event *event = &flight->event[i];
	const char *name = kd_flight_text(flight, event), *error = NULL;

	if (i && flight->event[i - 1].kind == KD_FLIGHT_ERROR)
		error = kd_flight_text(flight, &flight->event[i - 1]);
	if (strcmp(name, "save") == 0)
		return NULL; /* the sum of the others */
	return add_line(story, event->time, "%s failed%s%s", step_words(name), error ? ": " : "", error ? error : "");
}

/* Without this step there is no dump. */
static bool counts(const char *step)
{
	static const char *const others[] = {
		"quiesce", "modules", "post", "comeback", "report", "disconnect", "trace"
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(others[i], step) == 0)
			return false;
	return true;
}

static struct kd_error *tell_error(struct story *story, const struct kd_flight *flight, size_t i)
{
	const struct kd_flight_event *event = &flight->event[i];
	const char *text = kd_flight_text(flight, event), *step = open_step(flight, i, NULL);

	/* The error of all steps together says nothing new. */
	if (step && strcmp(step, "save") == 0)
		return NULL;
	add_remedies(story, step ? step : "", text);
	if (counts(step ? step : "") && (!story->why || strcmp(step ? step : "", "dump") == 0)) {
		struct kd_error *err = kd_set_text(&story->why, text);

		if (err)
			return err;
	}
	if (i + 1 < flight->count && flight->event[i + 1].kind == KD_FLIGHT_FAILED)
		return NULL; /* told with the step */
	return add_line(story, event->time, "error: %s", text);
}

static struct kd_error *tell_event(struct story *story, const struct kd_flight *flight, size_t i)
{
	const struct kd_flight_event *event = &flight->event[i];
	const char *text = kd_flight_text(flight, event);

	switch (event->kind) {
	case KD_FLIGHT_START:
		return add_line(story, event->time, "the capture started");
	case KD_FLIGHT_TARGET:
		story->targets++;
		return add_line(story, event->time, "tried target %u: %s", story->targets, text);
	case KD_FLIGHT_DIRECTORY:
		return add_line(story, event->time, "reached it; the directory for this crash is %s", text);
	case KD_FLIGHT_SAVED:
		return tell_saved(story, event, text);
	case KD_FLIGHT_FAILED:
		return tell_failed(story, flight, i);
	case KD_FLIGHT_ERROR:
		return tell_error(story, flight, i);
	case KD_FLIGHT_VETO:
		if (story->end > STORY_VETOED)
			story->end = STORY_VETOED;
		return kd_set_text(&story->why, text);
	case KD_FLIGHT_AGAIN:
		return add_line(story, event->time, "the capture was started a second time");
	case KD_FLIGHT_ACTION:
		return add_line(story, event->time, "ended; then: %s", text);
	default:
		return NULL;
	}
}

/* --- how it ended ------------------------------------------------------------------------------------------------- */

/* The record that a target has ends while it is being written there. */
static bool writes_record(const char *step)
{
	return strcmp(step, "report") == 0 || strcmp(step, "save") == 0;
}

static struct kd_error *tell_end(struct story *story, const struct dump_flight *flight)
{
	const struct kd_flight *record = flight->record;
	size_t begin;
	const char *step = open_step(record, record->count, &begin);
	_cleanup_free_ char *why = NULL;
	struct kd_error *err = NULL;

	story->seconds = (double)record->event[record->count - 1].time / 1000;
	if (flight->panic) {
		err = kd_format(&why, "the capture kernel itself panicked%s%s: %s", step ? ", while " : "",
				step ? step_words(step) : "", flight->panic);
		add_remedy_of_panic(story, flight->panic);
	} else if (step && !writes_record(step) && story->end != STORY_COMPLETE) {
		story->cut = true;
		/* The record is written before the dump, and not again until it is made. */
		err = kd_format(
			&why,
			"the record ends while %s: from then on nobody could write to it, because the machine was "
			"reset, lost its power, or hung until a watchdog reset it",
			step_words(strcmp(step, "reserve") == 0 ? "dump" : step));
		add_remedy(story,
			   "Look at the console or the BMC's log for what reset the machine; a watchdog may have "
			   "been too quick (\"kdumpctl check\")");
	}
	if (err || !why)
		return err;
	free(story->why);
	story->why = take_ptr(why);
	return NULL;
}

struct kd_error *story_tell(const struct dump_flight *flight, struct story *ret)
{
	_cleanup_(story_free) struct story story = { .end = STORY_NOTHING };
	struct kd_error *err = NULL;

	for (size_t i = 0; i < flight->record->count && !err; i++)
		err = tell_event(&story, flight->record, i);
	if (!err)
		err = tell_end(&story, flight);
	if (!err && story.end != STORY_COMPLETE && !story.why)
		err = kd_set_text(&story.why, story.targets ? "the record does not say why" :
							      "the plan of the capture had no target");
	if (err)
		return err;
	if (story.end != STORY_COMPLETE && story.end != STORY_VETOED && story.targets == 1)
		add_remedy(&story,
			   "Name a second target in kdump.conf, on another disk or a server: it is tried when the "
			   "first one fails");
	*ret = story;
	story = (struct story){ 0 };
	return NULL;
}

void story_free(struct story *story)
{
	for (size_t i = 0; i < story->count; i++)
		free(story->line[i].text);
	free(story->line);
	free(story->why);
	*story = (struct story){ 0 };
}
