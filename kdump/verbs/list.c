/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl list: a table of the dumps. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/json.h"
#include "base/parse.h"
#include "kdump/dumps/named.h"
#include "kdump/verbs/containers.h"
#include "kdump/verbs/dump_choice.h"
#include "kdump/verbs/dump_options.h"
#include "kdump/verbs/terminal.h"
#include "kdump/verbs/verbs.h"

enum { OPTION_COUNT = DUMP_OPTION_PATH + 1, OPTION_SINCE, OPTION_UNTIL, OPTION_SIGNATURE, OPTION_STATE };

const struct verb_option dumps_list_options[] = {
	DUMP_PATH_OPTION,
	[OPTION_COUNT] = { "lines", 'n', "N", "list only the newest N dumps" },
	[OPTION_SINCE] = { "since", 'S', "TIME",
			   "list only dumps since TIME: 2026-11-24, \"2026-11-24 10:31\", yesterday, \"3 days ago\", @SECONDS" },
	[OPTION_UNTIL] = { "until", 'U', "TIME", "list only dumps until TIME" },
	[OPTION_SIGNATURE] = { "signature", 0, "HEX", "list only dumps with this signature" },
	[OPTION_STATE] = { "state", 0, "STATE",
			   "list only dumps in this state: complete, incomplete, log-only, damaged or nothing" },
	{ .name = NULL },
};

/* --- selecting ---------------------------------------------------------------------------------------------------- */

struct selection {
	uint64_t count; /* only this many, the newest */
	int64_t since, until;
	const char *signature, *state;
};

static bool parse_words(const char *text, int64_t now, int64_t *ret)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = { { "second", 1 }, { "minute", 60 }, { "hour", 3600 }, { "day", 86400 }, { "week", 604800 } };
	_cleanup_free_ char **words = kd_split_words(text, NULL);
	uint64_t number;
	size_t i;

	if (!words || !words[0] || !words[1] || !words[2] || words[3] || strcmp(words[2], "ago") != 0 ||
	    !kd_parse_u64(words[0], 10, &number) || number > 1000000)
		return false;
	for (i = 0; i < ARRAY_SIZE(units); i++) {
		if (!kd_starts_with(words[1], units[i].name) || strlen(words[1]) > strlen(units[i].name) + 1)
			continue;
		*ret = now - (int64_t)number * units[i].seconds;
		return true;
	}
	return false;
}

static int64_t midnight(int64_t now, int days)
{
	time_t when = now;
	struct tm tm;

	localtime_r(&when, &tm);
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_mday += days;
	tm.tm_isdst = -1;
	return mktime(&tm);
}

bool dumps_parse_time(const char *text, int64_t now, int64_t *ret)
{
	static const char *const formats[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d" };
	uint64_t seconds;
	size_t i;

	if (text[0] == '@' && kd_parse_u64(text + 1, 10, &seconds) && seconds < INT64_MAX) {
		*ret = seconds;
		return true;
	}
	if (strcmp(text, "now") == 0 || strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0) {
		*ret = *text == 'n' ? now : midnight(now, *text == 't' ? 0 : -1);
		return true;
	}
	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, formats[i], &tm);

		if (end && !*end) {
			*ret = mktime(&tm);
			return true;
		}
	}
	return parse_words(text, now, ret);
}

static struct kd_error *parse_time_option(const struct kdumpctl *ctl, unsigned int option, int64_t *ret)
{
	const char *text = ctl->option[option];

	if (text && !dumps_parse_time(text, time(NULL), ret))
		return kd_error_create(
			KD_ERR_USAGE,
			"--%s=%s is not a time: write 2026-11-24, \"2026-11-24 10:31\", yesterday, \"3 days ago\" "
			"or @SECONDS",
			dumps_list_options[option].name, text);
	return NULL;
}

static struct kd_error *parse_state(const char *text)
{
	enum dump_state state;

	for (state = 0; state < DUMP_STATES; state++)
		if (!text || strcmp(text, dump_state_name(state)) == 0)
			return NULL;
	return kd_error_create(KD_ERR_USAGE, "--state=%s: use complete, incomplete, log-only, damaged or nothing",
			       text);
}

static struct kd_error *parse_selection(const struct kdumpctl *ctl, struct selection *ret)
{
	const char *count = ctl->option[OPTION_COUNT];
	struct kd_error *err;

	*ret = (struct selection){
		.count = UINT64_MAX,
		.since = INT64_MIN,
		.until = INT64_MAX,
		.signature = ctl->option[OPTION_SIGNATURE],
		.state = ctl->option[OPTION_STATE],
	};
	if (count && !kd_parse_u64(count, 10, &ret->count))
		return kd_error_create(KD_ERR_USAGE, "--lines=%s: give a number", count);
	err = parse_time_option(ctl, OPTION_SINCE, &ret->since);
	if (!err)
		err = parse_time_option(ctl, OPTION_UNTIL, &ret->until);
	return err ? err : parse_state(ret->state);
}

static bool fits(const struct selection *selection, const struct dump *dump)
{
	return dump->time >= selection->since && dump->time <= selection->until &&
	       (!selection->signature || strcmp(selection->signature, dump->log.signature) == 0) &&
	       (!selection->state || strcmp(selection->state, dump_state_name(dump->state)) == 0);
}

static bool selects_all(const struct selection *selection)
{
	return selection->count == UINT64_MAX && selection->since == INT64_MIN && selection->until == INT64_MAX &&
	       !selection->signature && !selection->state;
}

/* Choose the dumps that the selection matches. */
static void select_dumps(const struct selection *selection, const struct dump **chosen, size_t *count,
			 const struct dumps *dumps)
{
	size_t i;

	*count = 0;
	for (i = 0; i < dumps->count; i++)
		if (fits(selection, &dumps->dump[i]))
			chosen[(*count)++] = &dumps->dump[i];
	if (*count > selection->count) {
		memmove(chosen, chosen + *count - selection->count, selection->count * sizeof(*chosen));
		*count = selection->count;
	}
}

/* --- for people --------------------------------------------------------------------------------------------------- */

static enum term_colour state_colour(enum dump_state state)
{
	static const enum term_colour colours[DUMP_STATES] = {
		[DUMP_COMPLETE] = TERM_GREEN, [DUMP_INCOMPLETE] = TERM_YELLOW, [DUMP_LOG_ONLY] = TERM_YELLOW,
		[DUMP_DAMAGED] = TERM_RED,    [DUMP_NOTHING] = TERM_RED,
	};

	return colours[state];
}

static const char *known(const char *text)
{
	return text ? text : "-";
}

static unsigned int widest(const struct dump **dump, size_t count, bool release)
{
	unsigned int width = release ? 6 : 4;
	size_t i;

	for (i = 0; i < count; i++) {
		unsigned int columns = term_columns(known(release ? dump[i]->release : dump[i]->host));

		width = columns > width ? columns : width;
	}
	return width < 40 ? width : 40;
}

/* What else is to be known of a dump, behind its reason. */
static void print_marks(const struct term *term, const struct dump *dump)
{
	struct unreadable unreadable;

	if (report_find_unreadable(dump->report, &unreadable))
		fprintf(term->out, " %s(%" PRIu64 " %s unreadable)%s", term_start(term, TERM_YELLOW), unreadable.count,
			unreadable.unit, term_stop(term));
	fputs(dump->form == DUMP_ENCRYPTED ? " (encrypted)" : "", term->out);
	fputs(dump->foreign ? " (others can write it)" : "", term->out);
	fputs(dump->pinned ? " (pinned)\n" : "\n", term->out);
}

static void print_table(const struct dump **dump, size_t count)
{
	unsigned int host = widest(dump, count, false), release = widest(dump, count, true);
	char when[TERM_TIME_MAX], size[TERM_SIZE_MAX];
	struct term term;
	size_t i;

	term_init(&term, stdout);
	printf("%s%-19s  %-*s  %-*s  %8s  %-10s  %-8s  %s%s\n", term_start(&term, TERM_BOLD), "TIME", (int)host, "HOST",
	       (int)release, "KERNEL", "SIZE", "STATE", "LIKE", "REASON", term_stop(&term));
	for (i = 0; i < count; i++) {
		printf("%-19s  ", term_time(dump[i]->time, when));
		term_cell(&term, known(dump[i]->host), host);
		term_cell(&term, known(dump[i]->release), release);
		printf("%8s  %s%-10s%s  %-8s  ", term_size(dump[i]->size, size),
		       term_start(&term, state_colour(dump[i]->state)), dump_state_name(dump[i]->state),
		       term_stop(&term), dump[i]->log.signature[0] ? dump[i]->log.signature : "-");
		term_text(&term, dump_reason(dump[i]));
		print_marks(&term, dump[i]);
	}
}

/* --- for programs ------------------------------------------------------------------------------------------------- */

static void put_unreadable(struct kd_json *json, const struct dump *dump, const struct unreadable *unreadable)
{
	char text[256];

	kd_json_string(json, "unreadable", report_unreadable(dump->report, text, sizeof(text)));
	kd_json_u64(json, "unreadable_count", unreadable->count);
	kd_json_string(json, "unreadable_unit", unreadable->unit);
	if (!unreadable->error)
		return;
	kd_json_u64(json, unreadable->is_offset ? "unreadable_first_offset" : "unreadable_first_address",
		    unreadable->first);
	kd_json_string(json, "unreadable_error", unreadable->error);
}

void dump_put_members(struct kd_json *json, const struct dump *dump)
{
	struct unreadable unreadable;

	kd_json_string(json, "name", dump->name);
	kd_json_string(json, "path", dump->path);
	kd_json_u64(json, "time", dump->time > 0 ? dump->time : 0);
	kd_json_string(json, "host", dump->host);
	kd_json_string(json, "kernel", dump->release);
	kd_json_string(json, "build_id", dump->build_id);
	kd_json_string(json, "reason", dump_reason(dump));
	kd_json_string(json, "kind", dump->log.kind);
	kd_json_string(json, "signature", dump->log.signature[0] ? dump->log.signature : NULL);
	kd_json_string(json, "state", dump_state_name(dump->state));
	kd_json_bool(json, "encrypted", dump->form == DUMP_ENCRYPTED);
	kd_json_bool(json, "pinned", dump->pinned);
	kd_json_u64(json, "size", dump->size);
	kd_json_bool(json, "foreign", dump->foreign);
	if (report_find_unreadable(dump->report, &unreadable))
		put_unreadable(json, dump, &unreadable);
	else
		kd_json_string(json, "unreadable", NULL);
	kd_json_string(json, "vmcore", dump->vmcore);
	kd_json_string(json, "log", dump->log_file);
}

/* @waiting: those in containers, too, of which nothing is known but their names. */
static void print_json(const struct kdumpctl *ctl, const struct dump **dump, size_t count, bool waiting)
{
	struct kd_json json = { .out = stdout };
	size_t i;

	kd_json_open(&json, NULL, '[');
	for (i = 0; i < count; i++) {
		kd_json_open(&json, NULL, '{');
		dump_put_members(&json, dump[i]);
		kd_json_close(&json, '}');
	}
	if (waiting)
		containers_put(ctl, &json);
	kd_json_close(&json, ']');
}

/* A directory such as bug-1234/ may itself be the directory of a dump: *ret := that dump. For any other directory,
 * *ret stays as it is. */
static struct kd_error *load_itself(const char *directory, struct dumps *ret)
{
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	struct vmcore_origin origin = { 0 };
	struct dump *dump;
	struct kd_error *err = dump_open(directory, &dumps, &dump);

	if (err && err->code == KD_ERR_NOT_FOUND) {
		kd_error_destroy(err);
		return NULL;
	}
	if (err)
		return err;
	kd_error_destroy(dump_look_inside(dump, &origin)); /* a damaged dump is listed as damaged */
	dumps.path = take_ptr(ret->path);
	dumps_free(ret);
	*ret = dumps;
	dumps = (struct dumps){ 0 };
	return NULL;
}

/* Why the table is empty. */
static void say_none(const struct kdumpctl *ctl, const struct dumps *dumps)
{
	if (dumps->count)
		kd_info(&ctl->log, "The options select no dump in %s (it has %zu)", dumps->path, dumps->count);
	else
		kd_info(&ctl->log, "No dumps found in %s", dumps->path);
}

struct kd_error *dumps_list(struct kdumpctl *ctl, int *status)
{
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	_cleanup_free_ const struct dump **chosen = NULL;
	const char *path = ctl->option[DUMP_OPTION_PATH], *directory = ctl->argument_count ? ctl->argument[0] : path;
	struct selection selection;
	struct kd_error *err;
	size_t count;

	err = parse_selection(ctl, &selection);
	if (!err && path && ctl->argument_count)
		err = kd_error_create(KD_ERR_USAGE, "list: name one directory, %s or --path=%s", ctl->argument[0],
				      path);
	if (!err)
		err = load_dumps(ctl, directory, &dumps);
	if (err && !directory) /* the error is the first target's, and another one may have taken its dump */
		dumps_remark_elsewhere(ctl, 1);
	if (!err && !dumps.count && dump_is_directory(directory))
		err = load_itself(directory, &dumps);
	if (err)
		return err;
	chosen = calloc(dumps.count + 1, sizeof(*chosen));
	if (!chosen)
		return kd_error_nomem();
	select_dumps(&selection, chosen, &count, &dumps);
	if (ctl->json)
		print_json(ctl, chosen, count, !directory && selects_all(&selection));
	else if (count)
		print_table(chosen, count);
	if (!directory) {
		containers_remark(ctl);
		dumps_remark_elsewhere(ctl, 0);
	}
	if (!count) {
		say_none(ctl, &dumps);
		*status = 1;
	}
	return NULL;
}
