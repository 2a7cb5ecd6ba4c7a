/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl info: what happened. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/text.h"
#include "kdump/dumps/classes.h"
#include "kdump/dumps/dumps.h"
#include "kdump/dumps/named.h"
#include "kdump/verbs/dump_choice.h"
#include "kdump/verbs/dump_options.h"
#include "kdump/verbs/html.h"
#include "kdump/verbs/terminal.h"
#include "kdump/verbs/verbs.h"

enum { OPTION_HTML = DUMP_OPTION_PATH + 1 };

const struct verb_option dumps_info_options[] = {
	DUMP_PATH_OPTION,
	[OPTION_HTML] = { "html", 0, NULL, "write an HTML page to standard output" },
	{ .name = NULL },
};

/* --- for people --------------------------------------------------------------------------------------------------- */

static void heading(const struct term *term, const char *text)
{
	printf("\n%s%s%s\n", term_start(term, TERM_BOLD), text, term_stop(term));
}

/* Print a line "key   value", or nothing if the value is unknown. */
static void row(const struct term *term, const char *key, const char *value)
{
	unsigned int columns;

	if (!value || !*value)
		return;
	columns = term_columns(key);
	printf("%s%*s", term_start(term, TERM_DIM), columns < 14 ? 14 - (int)columns : 0, "");
	term_text(term, key);
	printf("%s  ", term_stop(term));
	term_text(term, value);
	putchar('\n');
}

static void print_facts(const struct term *term, const struct dump *dump)
{
	char text[128], when[TERM_TIME_MAX], age[TERM_TIME_MAX];

	row(term, "Reason", dump_reason(dump));
	if (dump->time) {
		snprintf(text, sizeof(text), "%s (%s)", term_time(dump->time, when), term_age(dump->time, age));
		row(term, "Crashed", text);
	}
	row(term, "Host", dump->host);
	row(term, "Kernel", dump->release);
	row(term, "Hardware", dump->log.hardware);
	if (dump->log.uptime > 0) {
		snprintf(text, sizeof(text), "%.0f seconds", dump->log.uptime);
		row(term, "Uptime", text);
	}
	if (dump->log.task) {
		snprintf(text, sizeof(text), "%.40s (PID %ld) on CPU %ld", dump->log.task, dump->log.pid,
			 dump->log.cpu);
		row(term, "Task", text);
	}
	row(term, "Where", dump->log.rip);
	row(term, "Kind", dump->log.kind);
}

static void print_signature(const struct term *term, const struct dumps *dumps, const struct dump *dump)
{
	size_t like = 0, i;
	char text[64];

	if (!dump->log.signature[0])
		return;
	for (i = 0; i < dumps->count; i++)
		like += strcmp(dumps->dump[i].log.signature, dump->log.signature) == 0;
	snprintf(text, sizeof(text), "%s (%zu like it)", dump->log.signature, like - 1);
	row(term, "Signature", like > 1 ? text : dump->log.signature);
}

static void print_taint(const struct term *term, const struct crash_log *log)
{
	const char *p, *meaning;
	char text[96];

	for (p = log->taint ? log->taint : ""; *p; p++) {
		meaning = crash_log_taint(*p);
		snprintf(text, sizeof(text), "%c: %s", *p, meaning ? meaning : "unknown to this version");
		row(term, p == log->taint ? "Tainted" : "", text);
	}
}

static void print_backtrace(const struct term *term, const struct crash_log *log)
{
	size_t i;

	if (!log->frames)
		return;
	heading(term, "Backtrace (from the log)");
	for (i = 0; i < log->frames; i++) {
		printf("  #%-2zu ", i);
		term_text(term, log->frame[i].text);
		putchar('\n');
	}
}

/* Out-of-tree and unsigned modules are the first suspects, so they are always listed. */
static void print_modules(const struct term *term, const struct crash_log *log, bool all)
{
	size_t i, shown = 0;

	if (!log->modules)
		return;
	heading(term, "Modules");
	printf(" ");
	for (i = 0; i < log->modules; i++) {
		if (!all && !strchr(log->module[i], '('))
			continue;
		putchar(' ');
		term_text(term, log->module[i]);
		shown++;
	}
	printf("%s%zu in all%s\n", shown ? "; " : " ", log->modules, all ? "" : " (-v lists them)");
}

static void print_memory(const struct term *term, const struct dump *dump)
{
	uint64_t bytes[DUMP_CLASSES], all = dump_class_bytes(dump, bytes);
	char size[TERM_SIZE_MAX];
	size_t i;

	if (!all)
		return;
	heading(term, "Memory");
	for (i = 0; i < DUMP_CLASSES; i++) {
		if (!bytes[i])
			continue;
		printf("  %-22s %9s  ", dump_classes[i].name, term_size(bytes[i], size));
		term_bar(term, bytes[i], all, 30);
		printf(" %3.0f %%\n", 100.0 * bytes[i] / all);
	}
}

static void print_capture(const struct term *term, const struct dump *dump)
{
	struct json_object *steps = report_get(dump->report, "steps"), *errors = report_get(dump->report, "errors"),
			   *step;
	double complete = report_number(dump->report, "complete_at"), start, seconds;
	char text[96], unreadable[256], size[TERM_SIZE_MAX];
	const char *name;
	size_t i;

	if (!dump->report)
		return;
	heading(term, "Capture");
	if (complete > 0) {
		snprintf(text, sizeof(text), "%.1f seconds after the capture kernel's start", complete);
		row(term, "Complete", text);
	}
	row(term, "Collector", report_string(dump->report, "collector"));
	row(term, "Unreadable", report_unreadable(dump->report, unreadable, sizeof(unreadable)));
	if (report_u64(dump->report, "pages.vital_unreadable")) {
		snprintf(text, sizeof(text), "%" PRIu64 " of them are pages that a debugger needs",
			 report_u64(dump->report, "pages.vital_unreadable"));
		row(term, "", text);
	}
	if (report_u64(dump->report, "memory.peak")) {
		snprintf(text, sizeof(text), "%s at most", term_size(report_u64(dump->report, "memory.peak"), size));
		row(term, "Memory used", text);
	}
	for (i = 0;
	     steps && json_object_is_type(steps, json_type_array) && i < json_object_array_length(steps) && i < 64;
	     i++) {
		step = json_object_array_get_idx(steps, i);
		name = report_string(step, "name");
		start = report_number(step, "start");
		seconds = report_number(step, "seconds");
		if (!name)
			continue;
		snprintf(text, sizeof(text), "%7.2f s  for %6.2f s%s", start, seconds,
			 json_object_get_boolean(report_get(step, "ok")) ? "" : "  FAILED");
		row(term, report_step_words(name), text);
	}
	for (i = 0;
	     errors && json_object_is_type(errors, json_type_array) && i < json_object_array_length(errors) && i < 64;
	     i++)
		row(term, "Error", json_object_get_string(json_object_array_get_idx(errors, i)));
}

static void print_files(const struct term *term, const struct dump *dump, const char *format)
{
	char text[64], size[TERM_SIZE_MAX];

	heading(term, "Files");
	row(term, "Directory", dump->path);
	snprintf(text, sizeof(text), "%s%s", dump_state_name(dump->state), dump->pinned ? ", pinned" : "");
	row(term, "State", text);
	row(term, "Size", term_size(dump->size, size));
	row(term, "Dump", dump->vmcore);
	row(term, "Format", format);
	row(term, "Log", dump->log_file);
	if (!dump->vmcore || dump->state == DUMP_DAMAGED)
		return;
	putchar('\n');
	if (dump->form == DUMP_ENCRYPTED)
		term_line(term, "To open it, where the secret key is: kdumpctl decrypt --identity FILE %s",
			  dump_operand(dump));
	else
		term_line(term, "To look inside: kdumpctl debug %s", dump_operand(dump));
}

static void print_text(const struct kdumpctl *ctl, const struct dumps *dumps, const struct dump *dump,
		       const char *format)
{
	struct term term;

	term_init(&term, stdout);
	print_facts(&term, dump);
	print_taint(&term, &dump->log);
	print_signature(&term, dumps, dump);
	print_backtrace(&term, &dump->log);
	print_modules(&term, &dump->log, ctl->verbose);
	print_memory(&term, dump);
	print_capture(&term, dump);
	print_files(&term, dump, format);
}

/* --- for programs ------------------------------------------------------------------------------------------------- */

static void put_texts(struct kd_json *json, const char *key, char *const *text, size_t count)
{
	size_t i;

	kd_json_open(json, key, '[');
	for (i = 0; i < count; i++)
		kd_json_string(json, NULL, text[i]);
	kd_json_close(json, ']');
}

static void print_json(const struct dump *dump, const char *format)
{
	const struct crash_log *log = &dump->log;
	struct kd_json json = { .out = stdout };
	size_t i;

	kd_json_open(&json, NULL, '{');
	dump_put_members(&json, dump);
	kd_json_string(&json, "format", format);
	kd_json_string(&json, "task", log->task);
	if (log->task) {
		kd_json_u64(&json, "pid", log->pid > 0 ? log->pid : 0);
		kd_json_u64(&json, "cpu", log->cpu > 0 ? log->cpu : 0);
	}
	kd_json_string(&json, "where", log->rip);
	kd_json_string(&json, "taint", log->taint);
	kd_json_string(&json, "hardware", log->hardware);
	kd_json_seconds(&json, "uptime", log->uptime * 1000);
	kd_json_open(&json, "backtrace", '[');
	for (i = 0; i < log->frames; i++)
		kd_json_string(&json, NULL, log->frame[i].text);
	kd_json_close(&json, ']');
	put_texts(&json, "modules", log->module, log->modules);
	kd_json_close(&json, '}');
}

struct kd_error *dumps_info(struct kdumpctl *ctl, int *status)
{
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	_cleanup_free_ char *format = NULL;
	struct vmcore_origin origin = { 0 };
	struct dump *dump;
	struct kd_error *err;

	err = choose_dump(ctl, ctl->argument_count ? ctl->argument[0] : NULL, &dumps, &dump);
	if (!err)
		err = dump_look_inside(dump, &origin);
	if (!err && dump->form == DUMP_ENCRYPTED)
		err = kd_set_text(&format, "encrypted (age v1)");
	else if (!err && origin.format)
		err = describe_format(&origin, &format);
	if (err)
		return err;
	if (ctl->option[OPTION_HTML])
		return html_write(stdout, dump);
	if (ctl->json)
		print_json(dump, format);
	else
		print_text(ctl, &dumps, dump, format);
	return NULL;
}
