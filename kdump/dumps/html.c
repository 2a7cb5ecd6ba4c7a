/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/html.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kdump/term.h"

#define LOG_LINES 60   /* of the log's end */
#define LINE_BYTES 400 /* bytes of one line that are shown */

/* The policy forbids whatever a hostile log might try, should the escaping ever fail. */
static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	"<style>\n"
	":root{color-scheme:light dark;--fg:#1c1f23;--bg:#fff;--dim:#666c74;--line:#dfe2e6;--card:#f6f7f9;--bad:#b03a3a;--warn:#9a6a00}\n"
	"@media(prefers-color-scheme:dark){:root{--fg:#e4e6e9;--bg:#15181b;--dim:#9aa1a9;--line:#31363c;--card:#1d2125;--bad:#f08a8a;--warn:#e0b050}}\n"
	"*{box-sizing:border-box}body{margin:0 auto;padding:1rem;max-width:60rem;color:var(--fg);background:var(--bg);"
	"font:16px/1.5 system-ui,sans-serif}\n"
	"h1{font-size:1.35rem;line-height:1.3;margin:.2rem 0 .6rem;overflow-wrap:anywhere}h2{font-size:1.05rem;margin:1.8rem 0 .5rem}\n"
	".state{display:inline-block;padding:0 .6rem;border-radius:1rem;border:1px solid;font-size:.85rem}\n"
	".complete{color:#2c7a4b}.incomplete,.log-only{color:var(--warn)}.damaged{color:var(--bad)}\n"
	"dl{display:grid;grid-template-columns:minmax(5.5rem,auto) 1fr;gap:.2rem 1rem;margin:0}dt{color:var(--dim)}"
	"dd{margin:0;overflow-wrap:anywhere}\n"
	"ol,.log{background:var(--card);border:1px solid var(--line);border-radius:.4rem;font:13px/1.5 ui-monospace,monospace;"
	"overflow-wrap:anywhere}\n"
	"ol{margin:0;padding:.6rem .6rem .6rem 2.6rem}.log{padding:.6rem}.log div{display:grid;grid-template-columns:4.6rem 1fr;gap:.6rem}\n"
	".log time{color:var(--dim);text-align:right}.hot{color:var(--bad);font-weight:600}\n"
	"svg{display:block;width:100%;height:auto;overflow:visible}svg text{font:12px system-ui,sans-serif;fill:var(--fg)}"
	"svg .dim{fill:var(--dim)}\n"
	"ul.key{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin:.6rem 0 0;padding:0;font-size:.9rem}"
	".key i{display:inline-block;width:.8rem;height:.8rem;border-radius:.15rem;margin-right:.4rem;vertical-align:-.05rem}\n"
	"footer{margin-top:2rem;color:var(--dim);font-size:.85rem}\n"
	"</style>\n";

/* --- text ---------------------------------------------------------------------------------------------------------- */

/* Length of the UTF-8 character at @s, or 0 if there is none that a page may hold. */
static unsigned int character(const unsigned char *s)
{
	unsigned int length = *s < 0x80 ? 1 : *s >= 0xc2 && *s < 0xe0 ? 2 : (*s & 0xf0) == 0xe0 ? 3 : *s >= 0xf0 && *s < 0xf5 ? 4 : 0;
	unsigned int i;

	for (i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (length == 1 && (*s < ' ' || *s == 0x7f))
		return *s == '\t' ? 1 : 0;
	if ((*s == 0xc2 && s[1] < 0xa0) || (*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] >= 0xa0) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] >= 0x90))
		return 0;
	return length;
}

static void put_text_max(FILE *out, const char *text, size_t max)
{
	const unsigned char *s = (const unsigned char *)text, *start = s;
	unsigned int length;

	for (; *s; s += length) {
		if ((size_t)(s - start) >= max) {
			fputs("…", out);
			break;
		}
		length = character(s);
		if (!length) {
			fputs("\xef\xbf\xbd", out);
			length = 1;
		} else if (*s == '<') {
			fputs("&lt;", out);
		} else if (*s == '>') {
			fputs("&gt;", out);
		} else if (*s == '&') {
			fputs("&amp;", out);
		} else if (*s == '"') {
			fputs("&quot;", out);
		} else {
			fwrite(s, 1, length, out);
		}
	}
}

static void put_text(FILE *out, const char *text)
{
	put_text_max(out, text, LINE_BYTES);
}

static void put_row(FILE *out, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	fprintf(out, "<dt>%s</dt><dd>", key);
	put_text(out, value);
	fputs("</dd>\n", out);
}

/* --- parts --------------------------------------------------------------------------------------------------------- */

static void put_facts(FILE *out, const struct dump *dump)
{
	const struct crash_log *log = &dump->log;
	char text[160], when[TERM_TIME_MAX], size[TERM_SIZE_MAX];
	const char *p, *meaning;

	fputs("<dl>\n", out);
	put_row(out, "Crashed", term_time(dump->time, when));
	put_row(out, "Host", dump->host);
	put_row(out, "Kernel", dump->release);
	put_row(out, "Hardware", log->hardware);
	if (log->task) {
		snprintf(text, sizeof(text), "%.60s (PID %ld) on CPU %ld", log->task, log->pid, log->cpu);
		put_row(out, "Task", text);
	}
	put_row(out, "Where", log->rip);
	if (log->uptime > 0) {
		snprintf(text, sizeof(text), "%.0f s", log->uptime);
		put_row(out, "Uptime", text);
	}
	for (p = log->taint ? log->taint : ""; *p; p++) {
		meaning = crash_log_taint(*p);
		snprintf(text, sizeof(text), "%c: %s", *p, meaning ? meaning : "not known");
		put_row(out, "Tainted", text);
	}
	put_row(out, "Signature", log->signature);
	snprintf(text, sizeof(text), "%s, %s", dump->vmcore ? dump->vmcore : "no vmcore", term_size(dump->size, size));
	put_row(out, "Files", text);
	put_row(out, "Directory", dump->path);
	fputs("</dl>\n", out);
}

static void put_backtrace(FILE *out, const struct crash_log *log)
{
	size_t i;

	if (!log->frames)
		return;
	fputs("<section id=\"backtrace\"><h2>Backtrace</h2>\n<ol start=\"0\">\n", out);
	for (i = 0; i < log->frames; i++) {
		fputs("<li>", out);
		put_text(out, log->frame[i].text);
		fputs("</li>\n", out);
	}
	fputs("</ol></section>\n", out);
}

/* One bar of all memory, a piece per class, and its key. */
static void put_memory(FILE *out, const struct dump *dump)
{
	uint64_t bytes[DUMP_CLASSES], all = 0;
	char size[TERM_SIZE_MAX];
	double x = 0, width;
	size_t i;

	for (i = 0; i < DUMP_CLASSES; i++) {
		bytes[i] = dump_class_bytes(dump, i);
		all += bytes[i];
	}
	if (!all)
		return;
	fprintf(out,
		"<section id=\"memory\"><h2>Memory by class (%s)</h2>\n<svg viewBox=\"0 0 600 36\" role=\"img\" "
		"aria-label=\"memory by class\">\n",
		term_size(all, size));
	for (i = 0; i < DUMP_CLASSES; i++) {
		width = 600.0 * bytes[i] / all;
		if (bytes[i])
			fprintf(out, "<rect x=\"%.2f\" width=\"%.2f\" height=\"36\" fill=\"%s\"><title>%s: %s</title></rect>\n", x,
				width, dump_classes[i].colour, dump_classes[i].name, term_size(bytes[i], size));
		x += width;
	}
	fputs("</svg>\n<ul class=\"key\">\n", out);
	for (i = 0; i < DUMP_CLASSES; i++)
		if (bytes[i])
			fprintf(out, "<li><i style=\"background:%s\"></i>%s %s (%.0f %%)</li>\n", dump_classes[i].colour,
				dump_classes[i].name, term_size(bytes[i], size), 100.0 * bytes[i] / all);
	fputs("</ul></section>\n", out);
}

/* What a step has; false: it is not one that can be drawn. */
static bool read_step(struct json_object *steps, size_t i, const char **name, double *start, double *seconds)
{
	struct json_object *step = json_object_array_get_idx(steps, i);

	*name = report_string(step, "name");
	*start = report_number(step, "start");
	*seconds = report_number(step, "seconds");
	return *name && *start >= 0 && *seconds >= 0 && *start < 1e6 && *seconds < 1e6;
}

static void put_capture(FILE *out, const struct dump *dump)
{
	struct json_object *steps = report_get(dump->report, "steps");
	double end = 0.001, start, seconds;
	const char *name;
	size_t count, i;

	if (!steps || !json_object_is_type(steps, json_type_array))
		return;
	count = json_object_array_length(steps);
	if (count > 64)
		count = 64;
	for (i = 0; i < count; i++)
		if (read_step(steps, i, &name, &start, &seconds) && start + seconds > end)
			end = start + seconds;
	fprintf(out,
		"<section id=\"capture\"><h2>The capture, in seconds of its kernel</h2>\n<svg viewBox=\"0 0 600 %zu\" role=\"img\" "
		"aria-label=\"steps of the capture\">\n",
		count * 24 + 4);
	for (i = 0; i < count; i++) {
		if (!read_step(steps, i, &name, &start, &seconds))
			continue;
		fprintf(out, "<text x=\"0\" y=\"%zu\">", i * 24 + 16);
		put_text_max(out, name, 18);
		fprintf(out, "</text><rect x=\"%.2f\" y=\"%zu\" width=\"%.2f\" height=\"16\" rx=\"2\" fill=\"%s\"/>",
			120 + 380 * start / end, i * 24 + 4, 380 * seconds / end < 2 ? 2 : 380 * seconds / end,
			json_object_get_boolean(report_get(json_object_array_get_idx(steps, i), "ok")) ? "#3b6ea5" : "#b03a3a");
		fprintf(out, "<text class=\"dim\" x=\"510\" y=\"%zu\">%.2f + %.2f</text>\n", i * 24 + 16, start, seconds);
	}
	fputs("</svg></section>\n", out);
}

static void put_log(FILE *out, const struct dump *dump)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = dump_read_log(dump, &text);
	char *cursor, *line;
	double stamp;

	kd_error_destroy(err); /* no log: no section */
	if (err)
		return;
	fputs("<section id=\"log\"><h2>The end of the log, in seconds from the crash</h2>\n<div class=\"log\">\n", out);
	cursor = (char *)crash_log_tail(text, LOG_LINES);
	while (cursor && *cursor) {
		const char *message;

		line = strsep(&cursor, "\n");
		message = crash_log_message(line, &stamp);
		fputs("<div><time>", out);
		if (stamp >= 0)
			fprintf(out, "%+.3f", stamp - dump->log.uptime);
		fprintf(out, "</time><span%s>",
			dump->log.reason && strcmp(message, dump->log.reason) == 0 ? " class=\"hot\"" : "");
		put_text(out, message);
		fputs("</span></div>\n", out);
	}
	fputs("</div></section>\n", out);
}

static void put_modules(FILE *out, const struct crash_log *log)
{
	size_t i;

	if (!log->modules)
		return;
	fprintf(out, "<section id=\"modules\"><h2>Modules (%zu)</h2>\n<p>", log->modules);
	for (i = 0; i < log->modules; i++) {
		put_text_max(out, log->module[i], 80);
		fputs(i + 1 < log->modules ? " " : "</p></section>\n", out);
	}
}

struct kd_error *html_write(FILE *out, const struct dump *dump)
{
	fputs(head, out);
	fputs("<title>", out);
	put_text(out, dump_reason(dump));
	fputs("</title>\n</head>\n<body>\n<header><h1>", out);
	put_text(out, dump_reason(dump));
	fprintf(out, "</h1><p><span class=\"state %s\">%s</span></p></header>\n<main>\n", dump_state_name(dump->state),
		dump_state_name(dump->state));
	put_facts(out, dump);
	put_backtrace(out, &dump->log);
	put_log(out, dump);
	put_memory(out, dump);
	put_capture(out, dump);
	put_modules(out, &dump->log);
	fputs("</main>\n<footer>Written by kdumpctl from what the capture left.</footer>\n</body>\n</html>\n", out);
	return ferror(out) ? kd_error_os(errno, "cannot write the page") : NULL;
}
