/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl why: what happened after a crash, from whatever has kept a record of it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/text.h"
#include "kdump/airbag/trial.h"
#include "kdump/arming/boots.h"
#include "kdump/config/conf.h"
#include "kdump/dumps/named.h"
#include "kdump/dumps/pstore.h"
#include "kdump/dumps/story.h"
#include "kdump/storage/target.h"
#include "kdump/verbs/dump_choice.h"
#include "kdump/verbs/dump_options.h"
#include "kdump/verbs/terminal.h"
#include "kdump/verbs/verbs.h"

enum { OPTION_LAST = DUMP_OPTION_PATH + 1 };

const struct verb_option dumps_why_options[] = {
	DUMP_PATH_OPTION,
	[OPTION_LAST] = { "last", 'l', NULL, "tell only how the last boot ended" },
	{ .name = NULL },
};

/* The exit status, see kdumpctl(8). */
enum { WHY_NOTHING = 3, WHY_PARTIAL = 4 };

/* The clocks of the two kernels, and a dump's directory, may differ by so much. */
enum { CLOCK_SECONDS = 300, PLACES = 16 };

/* --- where records are -------------------------------------------------------------------------------------------- */

struct sources {
	struct dumps place[PLACES]; /* directories with dumps */
	size_t places;
	struct pstore pstore;
};

static void sources_free(struct sources *sources)
{
	for (size_t i = 0; i < sources->places; i++)
		dumps_free(&sources->place[i]);
	pstore_free(&sources->pstore);
}
static inline void sources_free_cleanup(struct sources *sources)
{
	sources_free(sources);
}

/* A place that cannot be read has no record. */
static void add_place(struct sources *sources, const char *path, enum dumps_owner owner)
{
	for (size_t i = 0; i < sources->places; i++)
		if (strcmp(sources->place[i].path, path) == 0)
			return;
	if (sources->places < PLACES &&
	    !kd_error_discard(dumps_load(path, owner, NULL, &sources->place[sources->places])))
		sources->places++;
}

static void add_directory(const struct kdumpctl *ctl, struct sources *sources, const char *directory)
{
	_cleanup_free_ char *path = directory ? kd_sysroot_path(&ctl->root, directory) : NULL;

	if (path)
		add_place(sources, path, DUMPS_OF_MACHINE);
}

static void add_target(const struct kdumpctl *ctl, struct sources *sources, const struct target_request *request)
{
	_cleanup_(target_free) struct target target = { 0 };

	if (!kd_error_discard(target_resolve(&ctl->root, request, NULL, &target)))
		add_directory(ctl, sources, target.directory);
}

/* Every target of kdump.conf that is mounted, and where records from pstore are brought. */
static void add_targets(const struct kdumpctl *ctl, struct sources *sources)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct target_request request;

	add_directory(ctl, sources, DUMPS_DEFAULT);
	if (kd_error_discard(kd_conf_load(&ctl->root, NULL, ctl->conf_file, &conf)))
		return;
	if (!conf.target_type)
		add_directory(ctl, sources, conf.path);
	request = kd_conf_target(&conf);
	add_target(ctl, sources, &request);
	for (size_t i = 0; i < conf.further_count; i++) {
		request = kd_conf_further(&conf, i);
		add_target(ctl, sources, &request);
	}
}

static struct kd_error *find_sources(const struct kdumpctl *ctl, struct sources *ret)
{
	if (ctl->option[DUMP_OPTION_PATH])
		add_place(ret, ctl->option[DUMP_OPTION_PATH], DUMPS_OF_ANYBODY);
	else
		add_targets(ctl, ret);
	return pstore_load(&ctl->root, &ret->pstore);
}

/* --- one crash ---------------------------------------------------------------------------------------------------- */

/* All that is known of one crash. */
struct crash {
	struct dump_flight flight; /* may be zeroed: no place has a record */
	struct story story;        /* of it */
	int64_t time;              /* 0: unknown */
	const char *reason;        /* NULL: unknown */
	const char *release;
	const struct dump *dump[PLACES]; /* the same crash's directories */
	size_t dumps;
	bool stored; /* the persistent store still has a part of it */
	enum story_end end;
};

static void crash_free(struct crash *crash)
{
	dump_flight_free(&crash->flight);
	story_free(&crash->story);
}
static inline void crash_free_cleanup(struct crash *crash)
{
	crash_free(crash);
}

/* Add to *record what @more has; *record may be NULL. */
static struct kd_error *merge(struct kd_flight **record, const struct kd_flight *more)
{
	_cleanup_free_ char *text = NULL;
	struct kd_flight *all = malloc(sizeof(*all));
	size_t size;
	FILE *out = all ? open_memstream(&text, &size) : NULL;

	if (!out) {
		free(all);
		return kd_error_nomem();
	}
	if (*record)
		kd_flight_write(out, *record);
	kd_flight_write(out, more);
	if (fclose(out) != 0) {
		free(all);
		return kd_error_nomem();
	}
	kd_flight_parse(text, all);
	free(*record);
	*record = all;
	return NULL;
}

static struct kd_error *add_dump(struct crash *crash, const struct dump *dump)
{
	_cleanup_(dump_flight_free) struct dump_flight flight = { 0 };
	struct kd_error *err;

	if (crash->dumps == PLACES)
		return NULL;
	crash->dump[crash->dumps++] = dump;
	err = dump_read_flight(dump, &flight);
	if (err && err->code == KD_ERR_NOT_FOUND) {
		kd_error_destroy(err);
		return NULL;
	}
	if (!err)
		err = merge(&crash->flight.record, flight.record);
	if (!err && flight.panic && !crash->flight.panic)
		crash->flight.panic = take_ptr(flight.panic);
	return err;
}

static struct kd_error *add_stored(struct crash *crash, const struct pstore_log *log)
{
	struct kd_error *err = merge(&crash->flight.record, log->flight);

	crash->stored = true;
	return err || crash->flight.panic ? err : pstore_panic(log->text, &crash->flight.panic);
}

static bool has_id(const struct dump *dump, const char *id)
{
	_cleanup_(dump_flight_free) struct dump_flight flight = { 0 };

	return !kd_error_discard(dump_read_flight(dump, &flight)) && strcmp(flight.record->id, id) == 0;
}

/* Find what other places have of the same capture. */
static struct kd_error *add_others(struct crash *crash, const struct sources *sources)
{
	char id[KD_FLIGHT_ID + 1];
	struct kd_error *err = NULL;

	if (!crash->flight.record)
		return NULL;
	memcpy(id, crash->flight.record->id, sizeof(id));
	for (size_t i = 0; i < sources->places && !err; i++)
		for (size_t j = 0; j < sources->place[i].count && !err; j++) {
			const struct dump *dump = &sources->place[i].dump[j];

			if (!(crash->dumps && dump->device == crash->dump[0]->device &&
			      dump->inode == crash->dump[0]->inode) &&
			    has_id(dump, id))
				err = add_dump(crash, dump);
		}
	for (size_t i = 0; i < sources->pstore.count && !err; i++) {
		const struct pstore_log *log = &sources->pstore.log[i];

		if (log->flight && strcmp(log->flight->id, id) == 0)
			err = add_stored(crash, log);
	}
	return err;
}

/* Did the collecting unit make this directory? The capture itself leaves a record in what it makes. */
static bool was_brought(const struct dump *dump)
{
	_cleanup_free_ char *own = dump_read_member(dump, KD_FLIGHT_FILE, 1);
	_cleanup_free_ char *brought = own ? NULL : dump_read_member(dump, PSTORE_FILE, 1);

	return brought != NULL;
}

/* How it ended by the files that are there, which count more than the record: it may have been written before. */
static enum story_end end_of(const struct dump *dump)
{
	static const enum story_end ends[DUMP_STATES] = {
		[DUMP_COMPLETE] = STORY_COMPLETE, [DUMP_INCOMPLETE] = STORY_PARTIAL, [DUMP_LOG_ONLY] = STORY_LOG,
		[DUMP_DAMAGED] = STORY_NOTHING,   [DUMP_NOTHING] = STORY_NOTHING,
	};

	return was_brought(dump) ? STORY_NOTHING : ends[dump->state];
}

static void take_facts(struct crash *crash)
{
	const struct kd_flight_event *panic = NULL, *release = NULL;

	crash->end = crash->flight.record ? crash->story.end : STORY_NOTHING;
	for (size_t i = 0; i < crash->dumps; i++) {
		const struct dump *dump = crash->dump[i];

		if (end_of(dump) < crash->end)
			crash->end = end_of(dump);
		if (!crash->time)
			crash->time = dump->time;
		if (!crash->reason && strcmp(dump_reason(dump), "unknown") != 0)
			crash->reason = dump_reason(dump);
		if (!crash->release)
			crash->release = dump->release;
	}
	if (crash->story.end == STORY_VETOED && crash->end > STORY_COMPLETE)
		crash->end = STORY_VETOED;
	if (!crash->flight.record)
		return;
	if (flight_crash_time(crash->flight.record))
		crash->time = flight_crash_time(crash->flight.record);
	panic = kd_flight_last(crash->flight.record, KD_FLIGHT_PANIC);
	if (panic && !crash->reason)
		crash->reason = kd_flight_text(crash->flight.record, panic);
	release = kd_flight_last(crash->flight.record, KD_FLIGHT_CRASH);
	if (release && !crash->release) {
		const char *blank = strchr(kd_flight_text(crash->flight.record, release), ' ');

		crash->release = blank ? blank + 1 : NULL;
	}
}

static struct kd_error *complete_crash(struct crash *crash, const struct sources *sources)
{
	struct kd_error *err = add_others(crash, sources);

	if (!err && crash->flight.record)
		err = story_tell(&crash->flight, &crash->story);
	if (!err)
		take_facts(crash);
	return err;
}

/* The newest crash of all places. *found: is there one? */
static struct kd_error *find_newest(const struct sources *sources, struct crash *ret, bool *found)
{
	const struct dump *newest = NULL;
	const struct pstore_log *stored = NULL;
	struct kd_error *err;

	for (size_t i = 0; i < sources->places; i++)
		for (size_t j = 0; j < sources->place[i].count; j++)
			if (!newest || sources->place[i].dump[j].time > newest->time)
				newest = &sources->place[i].dump[j];
	for (size_t i = 0; i < sources->pstore.count; i++)
		if (sources->pstore.log[i].flight)
			stored = &sources->pstore.log[i];
	*found = newest || stored;
	if (stored && newest && flight_crash_time(stored->flight) <= newest->time)
		stored = NULL;
	if (!*found)
		return NULL;
	err = stored ? add_stored(ret, stored) : add_dump(ret, newest);
	return err ? err : complete_crash(ret, sources);
}

/* --- how the last boot ended -------------------------------------------------------------------------------------- */

enum last_boot {
	LAST_UNKNOWN,  /* nobody has recorded it */
	LAST_CRASH,    /* in the crash that was found */
	LAST_SHUTDOWN, /* in an orderly way, as far as is known */
	LAST_LOST,     /* it was armed, and then it was gone */
	LAST_UNARMED,  /* it was gone, and was not armed */
};

static enum last_boot judge(const struct boots *boots, const struct crash *crash)
{
	const struct boot *before = &boots->before;

	if (crash && crash->time && *before->id && crash->time >= before->since - CLOCK_SECONDS &&
	    (!boots->now.since || crash->time <= boots->now.since + CLOCK_SECONDS))
		return LAST_CRASH;
	if (!*before->id)
		return LAST_UNKNOWN;
	if (before->shutdown)
		return LAST_SHUTDOWN;
	return before->armed ? LAST_LOST : LAST_UNARMED;
}

static const char *const meanings[] = {
	"It lost its power, or somebody or something (a reset button, a BMC, a cluster, a hypervisor) reset it",
	"It hung, and a watchdog reset it without a panic; softlockup_panic, hardlockup_panic and hung_task_panic "
	"(sysctl) make a hang a panic",
	"The firmware or the hardware reset it (machine check, power, temperature): see the BMC's log",
	"The kernel panicked, and the capture kernel died before it could record anything: run \"kdumpctl check\" and "
	"\"kdumpctl test\", and watch the console; a machine with ACPI ERST or EFI variables records a part of that",
};

static void tell_lost(const struct term *term, const struct boots *boots)
{
	const struct boot *before = &boots->before;
	char armed[TERM_TIME_MAX], from[TERM_TIME_MAX], to[TERM_TIME_MAX];

	term_line(
		term,
		"The machine was armed at %s and went down without an orderly shutdown between %s and %s, and nothing was "
		"recorded.",
		term_time(before->armed, armed), term_time(before->sign ? before->sign : before->armed, from),
		term_time(boots->now.since, to));
	term_line(term, "That can mean:");
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		term_line(term, "  - %s.", meanings[i]);
}

static void tell_boot(const struct term *term, enum last_boot last, const struct boots *boots)
{
	char text[TERM_TIME_MAX];

	switch (last) {
	case LAST_LOST:
		tell_lost(term, boots);
		break;
	case LAST_UNARMED:
		term_line(term,
			  "The last boot ended without an orderly shutdown, and the machine was not armed then: a "
			  "crash would have left no dump. \"kdumpctl status\" tells whether it is armed now.");
		break;
	case LAST_SHUTDOWN:
		term_line(term, "The last boot ended in an orderly shutdown that began at %s.",
			  term_time(boots->before.shutdown, text));
		break;
	case LAST_UNKNOWN:
		term_line(term, "Nothing is recorded of how the last boot ended.");
		break;
	case LAST_CRASH:
		break;
	}
}

/* --- for people --------------------------------------------------------------------------------------------------- */

/* "The kernel 6.1 crashed at …: why". */
static void tell_crash(const struct term *term, const struct crash *crash)
{
	char when[TERM_TIME_MAX];
	static const char panic[] = "Kernel panic - not syncing: ";
	const char *reason = crash->reason;

	if (reason && kd_starts_with(reason, panic))
		reason += strlen(panic);
	term_line(term, "The kernel%s%s crashed at %s: %s.", crash->release ? " " : "",
		  crash->release ? crash->release : "", crash->time ? term_time(crash->time, when) : "an unknown time",
		  reason ? reason : "why is not known");
}

static void tell_in_a_sentence(const struct term *term, const struct crash *crash)
{
	char when[TERM_TIME_MAX];

	term_line(term, "The kernel crashed at %s, and the capture saved a complete dump in %.0f seconds: %s.",
		  term_time(crash->time, when), crash->story.seconds, crash->dump[0]->path);
}

static void tell_places(const struct term *term, const struct crash *crash)
{
	term_line(term, "%s", "");
	term_line(term, "What is there:");
	for (size_t i = 0; i < crash->dumps; i++)
		term_line(term, "  %s (%s%s)", crash->dump[i]->path, dump_state_name(crash->dump[i]->state),
			  was_brought(crash->dump[i]) ? ", brought from the persistent store" : "");
	if (crash->stored)
		term_line(term, "  the persistent store (pstore) has a record; the next boot brings it to the dumps");
	if (!crash->dumps && !crash->stored)
		term_line(term, "  nothing");
}

static void tell_course(const struct term *term, const struct crash *crash)
{
	term_line(term, "%s", "");
	term_line(term, "What the capture did, in seconds of its kernel's uptime:");
	for (size_t i = 0; i < crash->story.count; i++)
		term_line(term, "  %8.1f  %s", crash->story.line[i].seconds, crash->story.line[i].text);
}

static void tell_remedies(const struct term *term, const struct crash *crash)
{
	if (!crash->story.remedy[0])
		return;
	term_line(term, "%s", "");
	term_line(term, "What to change:");
	for (size_t i = 0; crash->story.remedy[i]; i++)
		term_line(term, "  - %s.", crash->story.remedy[i]);
}

static void tell_all(const struct term *term, const struct crash *crash)
{
	tell_crash(term, crash);
	if (!crash->flight.record) {
		term_line(term, "The capture left %s. It has no record that tells more.", story_end_words(crash->end));
		tell_places(term, crash);
		return;
	}
	term_line(term, "The capture saved %s.", story_end_words(crash->end));
	if (crash->story.why && crash->end != STORY_COMPLETE)
		term_line(term, "Why: %s.", crash->story.why);
	tell_course(term, crash);
	tell_places(term, crash);
	if (crash->end != STORY_COMPLETE)
		tell_remedies(term, crash);
}

/* --- for programs ------------------------------------------------------------------------------------------------- */

static const char *const last_names[] = {
	[LAST_UNKNOWN] = "unknown", [LAST_CRASH] = "crash",     [LAST_SHUTDOWN] = "shutdown",
	[LAST_LOST] = "lost",       [LAST_UNARMED] = "unarmed",
};
static const char *const end_names[] = {
	[STORY_COMPLETE] = "complete", [STORY_VETOED] = "vetoed",   [STORY_PARTIAL] = "incomplete",
	[STORY_LOG] = "log-only",      [STORY_NOTHING] = "nothing",
};

static void put_crash(struct kd_json *json, const struct crash *crash)
{
	kd_json_open(json, "crash", '{');
	kd_json_u64(json, "time", crash->time > 0 ? (uint64_t)crash->time : 0);
	kd_json_string(json, "reason", crash->reason);
	kd_json_string(json, "kernel", crash->release);
	kd_json_string(json, "saved", end_names[crash->end]);
	kd_json_string(json, "why", crash->end == STORY_COMPLETE ? NULL : crash->story.why);
	kd_json_string(json, "capture_panic", crash->flight.panic);
	kd_json_bool(json, "cut_off", crash->story.cut);
	kd_json_open(json, "dumps", '[');
	for (size_t i = 0; i < crash->dumps; i++)
		kd_json_string(json, NULL, crash->dump[i]->path);
	kd_json_close(json, ']');
	kd_json_bool(json, "pstore", crash->stored);
	kd_json_open(json, "events", '[');
	for (size_t i = 0; i < crash->story.count; i++) {
		kd_json_open(json, NULL, '{');
		kd_json_seconds(json, "uptime", (int64_t)(crash->story.line[i].seconds * 1000));
		kd_json_string(json, "text", crash->story.line[i].text);
		kd_json_close(json, '}');
	}
	kd_json_close(json, ']');
	kd_json_open(json, "remedies", '[');
	for (size_t i = 0; crash->end != STORY_COMPLETE && crash->story.remedy[i]; i++)
		kd_json_string(json, NULL, crash->story.remedy[i]);
	kd_json_close(json, ']');
	kd_json_close(json, '}');
}

static void put_trial(struct kd_json *json, const struct trial *trial)
{
	_cleanup_free_ char *text = NULL;

	kd_error_destroy(trial_describe(trial, &text));
	kd_json_open(json, "trial", '{');
	kd_json_string(json, "state", trial_state_name(trial));
	kd_json_string(json, "kernel", trial->to);
	kd_json_string(json, "old_kernel", trial->from);
	kd_json_string(json, "returned_by", trial->how);
	kd_json_string(json, "reason", trial->failed);
	kd_json_string(json, "text", text);
	kd_json_close(json, '}');
}

static void print_json(const struct boots *boots, enum last_boot last, const struct crash *crash,
		       const struct trial *trial)
{
	struct kd_json json = { .out = stdout };

	kd_json_open(&json, NULL, '{');
	if (trial && trial->to)
		put_trial(&json, trial);
	if (boots) {
		kd_json_open(&json, "last_boot", '{');
		kd_json_string(&json, "end", last_names[last]);
		kd_json_u64(&json, "since", (uint64_t)boots->before.since);
		kd_json_u64(&json, "armed", (uint64_t)boots->before.armed);
		kd_json_u64(&json, "shutdown", (uint64_t)boots->before.shutdown);
		kd_json_u64(&json, "last_sign", (uint64_t)boots->before.sign);
		kd_json_u64(&json, "next", (uint64_t)boots->now.since);
		kd_json_close(&json, '}');
	} else {
		kd_json_string(&json, "last_boot", NULL);
	}
	if (crash)
		put_crash(&json, crash);
	else
		kd_json_string(&json, "crash", NULL);
	kd_json_close(&json, '}');
}

/* --- the verb ----------------------------------------------------------------------------------------------------- */

static int status_of(const struct crash *crash)
{
	return crash->end == STORY_COMPLETE ? 0 : crash->end == STORY_NOTHING ? WHY_NOTHING : WHY_PARTIAL;
}

/* The story of a dump that the user names. */
static struct kd_error *tell_named(struct kdumpctl *ctl, const struct sources *sources, int *status)
{
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	_cleanup_(crash_free) struct crash crash = { 0 };
	struct dump *dump;
	struct term term;
	struct kd_error *err = choose_dump(ctl, ctl->argument[0], &dumps, &dump);

	if (!err)
		err = add_dump(&crash, dump);
	if (!err)
		err = complete_crash(&crash, sources);
	if (err)
		return err;
	term_init(&term, stdout);
	if (ctl->json)
		print_json(NULL, LAST_UNKNOWN, &crash, NULL);
	else
		tell_all(&term, &crash);
	*status = status_of(&crash);
	return NULL;
}

/* Has the boot before this one ended as a trial that failed? It was not meant to leave a dump. */
static bool has_ended_trial(const struct boots *boots, const struct trial *trial)
{
	return trial->state == TRIAL_RETURNED && trial->back && strcmp(trial->back, boots->now.id) == 0;
}

static void tell_trial(const struct term *term, const struct trial *trial)
{
	_cleanup_free_ char *text = NULL;

	if (trial->to && !kd_error_discard(trial_describe(trial, &text)) && text)
		term_line(term, "%s", text);
}

/* What the user asked for, of the last boot's end and of the newest crash. @crash: NULL: there is none. */
static void tell(const struct kdumpctl *ctl, enum last_boot last, const struct boots *boots, const struct crash *crash,
		 const struct trial *trial, int *status)
{
	bool tried = has_ended_trial(boots, trial);
	bool only_last = ctl->option[OPTION_LAST] != NULL;
	/* Nobody knows which boot it was, but it is the newest crash. */
	bool tells_crash = crash && (!only_last || last == LAST_CRASH || last == LAST_UNKNOWN);
	struct term term;

	term_init(&term, stdout);
	*status = tells_crash ? status_of(crash) : 0;
	if (last == LAST_LOST && !tried)
		*status = WHY_NOTHING;
	if (ctl->json) {
		print_json(boots, last, tells_crash ? crash : NULL, trial);
		return;
	}
	tell_trial(&term, trial);
	if (!tried && (last == LAST_LOST || last == LAST_UNARMED || !tells_crash))
		tell_boot(&term, last, boots);
	if (tells_crash && last != LAST_CRASH && last != LAST_UNKNOWN && last != LAST_SHUTDOWN)
		term_line(&term, "\nThe newest crash of which there is a record is an earlier one.");
	if (tells_crash && only_last && crash->end == STORY_COMPLETE && crash->dumps)
		tell_in_a_sentence(&term, crash);
	else if (tells_crash)
		tell_all(&term, crash);
}

struct kd_error *dumps_why(struct kdumpctl *ctl, int *status)
{
	_cleanup_(sources_free) struct sources sources = { 0 };
	_cleanup_(crash_free) struct crash crash = { 0 };
	_cleanup_(trial_free) struct trial trial = { 0 };
	struct boots boots = { 0 };
	bool found = false, tried;
	struct kd_error *err = find_sources(ctl, &sources);

	if (err)
		return err;
	if (ctl->argument_count)
		return tell_named(ctl, &sources, status);
	err = find_newest(&sources, &crash, &found);
	if (err)
		return err;
	/* A captured tree need not have a running kernel. */
	err = boots_read(&ctl->root, &boots);
	if (err && err->errnum != ENOENT)
		kd_warn(&ctl->log, "%s", err->text);
	kd_error_destroy(err);
	err = trial_read(&ctl->root, &trial, &tried);
	if (err)
		kd_warn(&ctl->log, "%s", err->text);
	kd_error_destroy(err);
	tell(ctl, judge(&boots, found ? &crash : NULL), &boots, found ? &crash : NULL, &trial, status);
	return NULL;
}

struct kd_error *boots_shutdown(struct kdumpctl *ctl, int *status)
{
	return boots_note_shutdown(&ctl->root);
}
