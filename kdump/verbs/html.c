/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page is both HTML and XML (every element is closed), so that a strict parser can check it. Charts are SVG that
 * stretches with the page and has no text. Their labels are HTML, which keeps its size on a phone. */
#include "kdump/verbs/html.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/array.h"
#include "base/klog.h"
#include "base/utf8.h"
#include "kdump/dumps/classes.h"
#include "kdump/dumps/named.h"
#include "kdump/storage/mounts.h"
#include "kdump/verbs/terminal.h"

#define LINE_BYTES   400 /* bytes shown of one line */
#define LINES_BEFORE 20  /* lines shown of the log before the crash */
#define LINES_MAX    180 /* lines shown of the log in all */
#define LIST_MAX     64  /* steps, attempts and errors shown of a report */

/* If the escaping ever fails, the policy still forbids scripts and loads that a hostile log contains. */
static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
	"<meta name=\"referrer\" content=\"no-referrer\"/>\n"
	"<style>\n"
	":root{color-scheme:light dark;--fg:#1d2126;--bg:#fcfcfd;--dim:#5f6670;--line:#dde1e6;--card:#f3f5f7;"
	"--fatal:#b3261e;--error:#a1501a;--warn:#826200;--good:#2a7048;--bar:#3b6ea5}\n"
	"@media(prefers-color-scheme:dark){:root{--fg:#e3e6ea;--bg:#131619;--dim:#9ba3ad;--line:#2f353c;--card:#1b1f24;"
	"--fatal:#ff8a80;--error:#f0a070;--warn:#dcbb5e;--good:#7cc79a;--bar:#6c9fd4}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0 auto;padding:1.2rem 1rem 3rem;max-width:62rem;color:var(--fg);background:var(--bg);"
	"font:16px/1.5 system-ui,sans-serif;-webkit-text-size-adjust:100%}\n"
	"header{border-left:.3rem solid var(--fatal);padding-left:.9rem}\n"
	"header p{margin:0;color:var(--dim)}\n"
	"h1{font-size:1.45rem;line-height:1.25;margin:.15rem 0 .5rem;overflow-wrap:anywhere}\n"
	"h2{font-size:1.05rem;margin:2.2rem 0 .6rem}h2 small{font-weight:400;color:var(--dim);margin-left:.5rem}\n"
	".badge{display:inline-block;padding:0 .6rem;margin-right:.4rem;border-radius:1rem;border:1px solid;font-size:.85rem;color:var(--dim)}\n"
	".complete{color:var(--good)}.incomplete,.log-only{color:var(--warn)}.damaged,.nothing{color:var(--fatal)}\n"
	"dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(19rem,100%),1fr));gap:.7rem 2rem;margin:1.4rem 0 0}\n"
	"dt{color:var(--dim);font-size:.85rem}dd{margin:0;overflow-wrap:anywhere}\n"
	"code,ol,.log{font:13px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}\n"
	"ol,.log{background:var(--card);border:1px solid var(--line);border-radius:.4rem;margin:0;padding:.7rem;overflow-wrap:anywhere}\n"
	"ol{padding-left:2.9rem}li::marker,i{color:var(--dim)}i{font-style:normal}\n"
	".log span{white-space:pre-wrap}.log div{display:grid;grid-template-columns:4.9rem 1fr;gap:.8rem}\n"
	".log time{color:var(--dim);text-align:right}\n"
	".fatal{color:var(--fatal);font-weight:600}.error{color:var(--error)}.warn{color:var(--warn)}.detail{color:var(--dim)}\n"
	"p.note{color:var(--dim);font-size:.9rem;margin:.4rem 0 .6rem;overflow-wrap:anywhere}\n"
	"svg{display:block;width:100%}svg .base{stroke:var(--line)}\n"
	"rect.plain{fill:var(--dim);opacity:.45}rect.fatal{fill:var(--fatal)}rect.error{fill:var(--error)}rect.warn{fill:var(--warn)}"
	"rect.step{fill:var(--bar)}\n"
	".axis{position:relative;height:1.4rem;font-size:.8rem;color:var(--dim);margin-bottom:.6rem}"
	".axis span{position:absolute;transform:translateX(-50%);white-space:nowrap}.axis .last{transform:translateX(-100%)}\n"
	"table{border-collapse:collapse;font-size:.92rem;width:100%;font-variant-numeric:tabular-nums}"
	"th{font-weight:400;text-align:left;padding:.12rem 0}td{text-align:right;white-space:nowrap;padding-left:.8rem;width:1%}"
	"td.chart{width:auto}.steps th{white-space:nowrap;width:1%;max-width:8rem;overflow:hidden;text-overflow:ellipsis}.key{margin-top:.7rem;max-width:30rem}tr.inner th{padding-left:1.1rem;color:var(--dim)}\n"
	".key i{display:inline-block;width:.75rem;height:.75rem;border-radius:.15rem;margin-right:.5rem}\n"
	"ul.chips{list-style:none;display:flex;flex-wrap:wrap;gap:.35rem;margin:0;padding:0}"
	".chips li{border:1px solid var(--line);border-radius:.3rem;padding:0 .45rem;font-size:.88rem;overflow-wrap:anywhere}"
	".chips .warn{border-color:currentColor}\n"
	"footer{margin-top:2.5rem;border-top:1px solid var(--line);padding-top:.7rem;color:var(--dim);font-size:.85rem;overflow-wrap:anywhere}\n"
	"</style>\n";

/* --- text --------------------------------------------------------------------------------------------------------- */

static const char *entity(char c)
{
	switch (c) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

/* Print the first @size bytes of @text, but at most @max. An ellipsis marks omitted bytes. */
static void put_part(FILE *out, const char *text, size_t size, size_t max)
{
	const char *start = text, *end = text + size;
	unsigned int length;
	uint32_t character;

	for (; text < end && *text; text += length ? length : 1) {
		if ((size_t)(text - start) >= max) {
			fputs("…", out);
			return;
		}
		length = kd_utf8_read(text, &character);
		if (!length || kd_utf8_is_harmful(character))
			fputs("\xef\xbf\xbd", out);
		else if (entity(*text))
			fputs(entity(*text), out);
		else
			fwrite(text, 1, length, out);
	}
}

static void put_text(FILE *out, const char *text)
{
	put_part(out, text, strlen(text), LINE_BYTES);
}

static void put_fact(FILE *out, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	fprintf(out, "<div><dt>%s</dt><dd>", key);
	put_text(out, value);
	fputs("</dd></div>\n", out);
}

/* Print "vfs_write" plain and "+0xc7/0x3f0 [ext4]" dim. */
static void put_place(FILE *out, const char *text)
{
	size_t symbol = strcspn(text, "+ ");

	put_part(out, text, symbol, LINE_BYTES);
	if (!text[symbol] || symbol >= LINE_BYTES)
		return;
	fputs("<i>", out);
	put_text(out, text + symbol);
	fputs("</i>", out);
}

static const char *duration(double seconds, char *buffer, size_t size)
{
	unsigned long whole = seconds < 1e9 ? (unsigned long)seconds : 0;

	if (seconds < 120)
		snprintf(buffer, size, "%.1f s", seconds);
	else if (whole < 2 * 3600)
		snprintf(buffer, size, "%lu min", whole / 60);
	else if (whole < 2 * 86400)
		snprintf(buffer, size, "%lu h %lu min", whole / 3600, whole / 60 % 60);
	else
		snprintf(buffer, size, "%lu days %lu h", whole / 86400, whole / 3600 % 24);
	return buffer;
}

static void open_section(FILE *out, const char *id, const char *title, const char *remark)
{
	fprintf(out, "<section id=\"%s\" aria-labelledby=\"h-%s\"><h2 id=\"h-%s\">%s", id, id, id, title);
	if (remark) {
		fputs("<small>", out);
		put_text(out, remark);
		fputs("</small>", out);
	}
	fputs("</h2>\n", out);
}

/* --- the head of the page ----------------------------------------------------------------------------------------- */

static void put_header(FILE *out, const struct dump *dump)
{
	fputs("<header>\n<p>Kernel crash", out);
	if (dump->host) {
		fputs(" on ", out);
		put_text(out, dump->host);
	}
	fputs("</p>\n<h1>", out);
	put_text(out, dump_reason(dump));
	fprintf(out, "</h1>\n<div><span class=\"badge %s\">%s</span>", dump_state_name(dump->state),
		dump_state_name(dump->state));
	if (dump->log.kind)
		fprintf(out, "<span class=\"badge\">%s</span>", dump->log.kind);
	if (dump->form == DUMP_ENCRYPTED)
		fputs("<span class=\"badge\">encrypted</span>", out);
	fputs(dump->pinned ? "<span class=\"badge\">pinned</span></div>\n</header>\n" : "</div>\n</header>\n", out);
}

static void put_taint(FILE *out, const struct crash_log *log)
{
	const char *p, *meaning;

	if (!log->taint || !*log->taint)
		return;
	fputs("<div><dt>Tainted</dt><dd>", out);
	for (p = log->taint; *p; p++) {
		fputs(p > log->taint ? "<br/>" : "", out);
		put_part(out, p, 1, 1);
		meaning = crash_log_taint(*p);
		fprintf(out, ": %s", meaning ? meaning : "unknown");
	}
	fputs("</dd></div>\n", out);
}

static void put_facts(FILE *out, const struct dump *dump)
{
	const struct crash_log *log = &dump->log;
	char text[160];
	time_t when = dump->time;
	struct tm tm;

	fputs("<dl>\n", out);
	if (when && localtime_r(&when, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %Z", &tm))
		put_fact(out, "Crashed", text);
	put_fact(out, "Where", log->rip);
	if (log->task) {
		snprintf(text, sizeof(text), "%.60s (PID %ld) on CPU %ld", log->task, log->pid, log->cpu);
		put_fact(out, "Task", text);
	}
	if (log->uptime > 0)
		put_fact(out, "Up for", duration(log->uptime, text, sizeof(text)));
	put_fact(out, "Kernel", dump->release);
	put_fact(out, "Build", dump->build_id);
	put_fact(out, "Hardware", log->hardware);
	put_taint(out, log);
	put_fact(out, "Signature", log->signature);
	fputs("</dl>\n", out);
}

static void put_backtrace(FILE *out, const struct crash_log *log)
{
	size_t i;

	if (!log->frames)
		return;
	open_section(out, "backtrace", "Backtrace", "innermost first, from the log");
	fputs("<ol start=\"0\">\n", out);
	for (i = 0; i < log->frames; i++) {
		fputs("<li>", out);
		put_place(out, log->frame[i].text);
		fputs("</li>\n", out);
	}
	fputs("</ol></section>\n", out);
}

/* --- the log ------------------------------------------------------------------------------------------------------ */

/* In ascending order. */
enum severity { PLAIN, DETAIL, WARN, ERROR, FATAL };
static const char *const severity_names[] = {
	[PLAIN] = "plain", [DETAIL] = "detail", [WARN] = "warn", [ERROR] = "error", [FATAL] = "fatal",
};

/* Saved logs have no log levels, so words decide. For a line that does not report a crash, the first matching row
 * counts. */
static const struct {
	const char *words;
	bool at_start;
	enum severity severity;
} severities
	[] = {
		{ "Code: ", true, DETAIL },         { "RSP: ", true, DETAIL },
		{ "RAX: ", true, DETAIL },          { "RDX: ", true, DETAIL },
		{ "RBP: ", true, DETAIL },          { "R10: ", true, DETAIL },
		{ "R13: ", true, DETAIL },          { "FS: ", true, DETAIL },
		{ "CS: ", true, DETAIL },           { "CR2: ", true, DETAIL },
		{ "PKRU: ", true, DETAIL },         { " ? ", true, DETAIL },
		{ "hardware error", false, ERROR }, { "I/O error", false, ERROR },
		{ "Out of memory", false, ERROR },  { "rcu: INFO:", true, ERROR },
		{ "WARNING:", true, ERROR }, /* before the words below, which the line may contain */
		{ "failed", false, WARN },          { "failure", false, WARN },
		{ "error:", false, WARN },          { "warning", false, WARN },
		{ "taints kernel", false, WARN },   { "tainting kernel", false, WARN },
	};

static enum severity judge(const char *message)
{
	enum kd_klog_weight weight = kd_klog_weigh(message, NULL);
	size_t i;

	if (weight != KD_KLOG_PLAIN)
		return weight == KD_KLOG_TROUBLE ? ERROR : FATAL;
	for (i = 0; i < ARRAY_SIZE(severities); i++)
		if (severities[i].at_start ? strncmp(message, severities[i].words, strlen(severities[i].words)) == 0 :
					     strcasestr(message, severities[i].words) != NULL)
			return severities[i].severity;
	return PLAIN;
}

#define BUCKETS 200
#define CLOSE   0.01 /* seconds before the crash that share one bucket */

struct timeline {
	double span; /* seconds from the first line to the crash */
	struct {
		unsigned int lines;
		enum severity worst;
	} bucket[BUCKETS];
	unsigned int most;
};

/* The position of a moment @before the crash (seconds), from 0 to 1. The scale is logarithmic, since the last moments
 * before a crash matter most. */
static double position(double span, double before)
{
	double x;

	if (!(before > 0))
		return 1;
	x = 1 - log1p(before / CLOSE) / log1p(span / CLOSE);
	return x > 0 ? x : 0;
}

static void fill_timeline(struct timeline *timeline, char *const *line, size_t count, double crash)
{
	double stamp;
	size_t i, at;

	for (i = 0; i < count; i++) {
		enum severity severity = judge(kd_klog_message(line[i], &stamp));

		if (!isfinite(stamp) || stamp < 0)
			continue;
		if (timeline->span == 0) /* the first time stamp */
			timeline->span = crash - stamp > 1 ? crash - stamp : 1;
		at = position(timeline->span, crash - stamp) * (BUCKETS - 1) + 0.5;
		timeline->bucket[at].lines++;
		if (severity == DETAIL)
			severity = PLAIN;
		if (severity > timeline->bucket[at].worst)
			timeline->bucket[at].worst = severity;
		if (timeline->bucket[at].lines > timeline->most)
			timeline->most = timeline->bucket[at].lines;
	}
}

static void put_axis(FILE *out, double span)
{
	static const struct {
		double seconds;
		const char *label;
	} ticks[] = {
		{ 30 * 86400, "−30 d" }, { 86400, "−1 d" }, { 3600, "−1 h" },  { 60, "−1 min" },
		{ 10, "−10 s" },         { 1, "−1 s" },     { 0.1, "−0.1 s" },
	};
	double x, last = -1;
	size_t i;

	fputs("<div class=\"axis\" aria-hidden=\"true\">", out);
	for (i = 0; i < ARRAY_SIZE(ticks); i++) {
		x = 100 * position(span, ticks[i].seconds);
		if (ticks[i].seconds > span || x < 5 || x > 84 || x - last < 13)
			continue;
		fprintf(out, "<span style=\"left:%.1f%%\">%s</span>", x, ticks[i].label);
		last = x;
	}
	fputs("<span class=\"last\" style=\"left:100%\">crash</span></div>\n", out);
}

static void put_timeline(FILE *out, char *const *line, size_t count, double crash)
{
	struct timeline timeline = { 0 };
	double height;
	size_t i;

	fill_timeline(&timeline, line, count, crash);
	if (!timeline.most)
		return;
	fprintf(out,
		"<svg viewBox=\"0 0 %d 48\" height=\"64\" preserveAspectRatio=\"none\" role=\"img\" "
		"aria-label=\"how many lines were logged when, on a logarithmic scale of seconds before the crash\">\n"
		"<line class=\"base\" x1=\"0\" y1=\"47.5\" x2=\"%d\" y2=\"47.5\"/>\n",
		BUCKETS, BUCKETS);
	for (i = 0; i < BUCKETS; i++) {
		if (!timeline.bucket[i].lines)
			continue;
		height = 6 + 40 * log1p(timeline.bucket[i].lines) / log1p(timeline.most);
		fprintf(out, "<rect class=\"%s\" x=\"%zu\" y=\"%.1f\" width=\"0.8\" height=\"%.1f\"/>\n",
			severity_names[timeline.bucket[i].worst], i, 47 - height, height);
	}
	fputs("</svg>\n", out);
	put_axis(out, timeline.span);
}

static void put_line(FILE *out, const struct crash_log *log, const char *line)
{
	double stamp;
	const char *message = kd_klog_message(line, &stamp);
	enum severity severity = judge(message);

	fputs("<div><time>", out);
	if (isfinite(stamp) && stamp >= 0)
		fprintf(out, log->uptime > 0 ? "%+.3f" : "%.3f", stamp - log->uptime);
	fprintf(out, "</time><span class=\"%s\">", severity_names[severity]);
	put_text(out, message);
	fputs("</span></div>\n", out);
}

static struct kd_error *put_log(FILE *out, const struct dump *dump)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char **line = NULL;
	const struct crash_log *log = &dump->log;
	size_t count = 0, first, end, i;

	if (kd_error_discard(dump_read_log(dump, &text)))
		return NULL; /* without a log there is no section */
	line = kd_klog_cut(text, &count);
	if (!line)
		return kd_error_nomem();
	if (log->reason && log->line < count)
		first = log->line > LINES_BEFORE ? log->line - LINES_BEFORE : 0;
	else
		first = count > LINES_MAX ? count - LINES_MAX : 0;
	end = count - first > LINES_MAX ? first + LINES_MAX : count;

	open_section(out, "log", "Log", "seconds from the crash");
	if (log->uptime > 0)
		put_timeline(out, line, count, log->uptime);
	if (first)
		fprintf(out, "<p class=\"note\">%zu earlier lines are in the log file.</p>\n", first);
	fputs("<div class=\"log\">\n", out);
	for (i = first; i < end; i++)
		put_line(out, log, line[i]);
	fputs("</div>\n", out);
	if (end < count)
		fprintf(out, "<p class=\"note\">%zu later lines are in the log file.</p>\n", count - end);
	fputs("</section>\n", out);
	return NULL;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static void put_memory_bar(FILE *out, const uint64_t bytes[DUMP_CLASSES], uint64_t all)
{
	double x = 0, width;
	size_t i;

	fputs("<svg viewBox=\"0 0 1000 10\" height=\"36\" preserveAspectRatio=\"none\" role=\"img\" "
	      "aria-label=\"memory by class; the table below has the sizes\">\n",
	      out);
	for (i = 0; i < DUMP_CLASSES; i++) {
		if (!bytes[i])
			continue;
		width = 1000.0 * bytes[i] / all;
		fprintf(out,
			"<rect x=\"%.2f\" y=\"0\" width=\"%.2f\" height=\"10\" fill=\"%s\"><title>%s</title></rect>\n",
			x, width > 3 ? width - 1 : 2, dump_classes[i].colour, dump_classes[i].name);
		x += width > 3 ? width : 3;
	}
	fputs("</svg>\n", out);
}

static void put_memory(FILE *out, const struct dump *dump)
{
	uint64_t bytes[DUMP_CLASSES], all = dump_class_bytes(dump, bytes);
	char size[TERM_SIZE_MAX];
	size_t i;

	if (!all)
		return;
	open_section(out, "memory", "Memory", term_size(all, size));
	put_memory_bar(out, bytes, all);
	fputs("<table class=\"key\">\n", out);
	for (i = 0; i < DUMP_CLASSES; i++) {
		double percent = 100.0 * bytes[i] / all;

		if (!bytes[i])
			continue;
		fprintf(out, "<tr><th scope=\"row\"><i style=\"background:%s\"></i>%s</th><td>%s</td>",
			dump_classes[i].colour, dump_classes[i].name, term_size(bytes[i], size));
		fprintf(out, percent < 1 ? "<td>&lt;1 %%</td></tr>\n" : "<td>%.0f %%</td></tr>\n", percent);
	}
	fputs("</table></section>\n", out);
}

/* --- the capture -------------------------------------------------------------------------------------------------- */

struct step {
	const char *name;
	double start, seconds; /* time of the capture kernel, in seconds */
	bool ok;
	bool inner; /* part of a step before it */
};

/* Read the steps of the report that can be drawn. Returns their number. */
static size_t read_steps(const struct dump *dump, struct step step[LIST_MAX])
{
	struct json_object *steps = report_get(dump->report, "steps"), *row;
	size_t count = 0, i, length;
	double outer_end = 0;

	if (!steps || !json_object_is_type(steps, json_type_array))
		return 0;
	length = json_object_array_length(steps);
	for (i = 0; i < length && count < LIST_MAX; i++) {
		row = json_object_array_get_idx(steps, i);
		step[count] = (struct step){
			.name = report_string(row, "name"),
			.start = report_number(row, "start"),
			.seconds = report_number(row, "seconds"),
			.ok = json_object_get_boolean(report_get(row, "ok")),
		};
		if (!step[count].name || !(step[count].start >= 0 && step[count].start < 1e6) ||
		    !(step[count].seconds >= 0 && step[count].seconds < 1e6))
			continue;
		step[count].inner = step[count].start < outer_end &&
				    step[count].start + step[count].seconds <= outer_end + 0.001;
		if (!step[count].inner)
			outer_end = step[count].start + step[count].seconds;
		count++;
	}
	return count;
}

static void put_steps(FILE *out, const struct step *step, size_t count)
{
	double end = 0.001, width;
	size_t i;

	for (i = 0; i < count; i++)
		if (step[i].start + step[i].seconds > end)
			end = step[i].start + step[i].seconds;
	fputs("<table class=\"steps\">\n", out);
	for (i = 0; i < count; i++) {
		width = 1000 * step[i].seconds / end;
		fprintf(out, "<tr%s><th scope=\"row\">", step[i].inner ? " class=\"inner\"" : "");
		put_part(out, report_step_words(step[i].name), strlen(report_step_words(step[i].name)), 24);
		fprintf(out,
			"</th><td class=\"chart\"><svg viewBox=\"0 0 1000 10\" height=\"12\" preserveAspectRatio=\"none\" "
			"aria-hidden=\"true\"><rect class=\"%s\" x=\"%.1f\" y=\"0\" width=\"%.1f\" height=\"10\"/></svg></td>"
			"<td>%.2f s</td></tr>\n",
			step[i].ok ? "step" : "fatal", 996 * step[i].start / end, width < 4 ? 4 : width,
			step[i].seconds);
	}
	fputs("</table>\n", out);
}

static void put_errors(FILE *out, struct json_object *errors)
{
	size_t i, count = errors && json_object_is_type(errors, json_type_array) ? json_object_array_length(errors) : 0;

	for (i = 0; i < count && i < LIST_MAX; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(errors, i));

		fputs("<p class=\"error\">", out);
		put_text(out, text ? text : "?");
		fputs("</p>\n", out);
	}
}

static void put_capture(FILE *out, const struct dump *dump)
{
	struct step step[LIST_MAX];
	size_t count = read_steps(dump, step);
	double complete = report_number(dump->report, "complete_at");
	char text[80] = "";

	if (!count)
		return;
	if (complete > 0 && complete < 1e6)
		snprintf(text, sizeof(text), "complete %.1f s after the capture kernel's start", complete);
	open_section(out, "capture", "Capture", *text ? text : NULL);
	put_steps(out, step, count);
	put_errors(out, report_get(dump->report, "errors"));
	fputs("</section>\n", out);
}

/* --- modules, files ----------------------------------------------------------------------------------------------- */

static void put_modules(FILE *out, const struct crash_log *log)
{
	char remark[32];
	size_t i;

	if (!log->modules)
		return;
	snprintf(remark, sizeof(remark), "%zu", log->modules);
	open_section(out, "modules", "Modules", remark);
	fputs("<ul class=\"chips\">\n", out);
	for (i = 0; i < log->modules; i++) {
		/* Letters in parentheses mark out-of-tree, unsigned, forced … modules. */
		fprintf(out, "<li%s>", strchr(log->module[i], '(') ? " class=\"warn\"" : "");
		put_part(out, log->module[i], strlen(log->module[i]), 80);
		fputs("</li>\n", out);
	}
	fputs("</ul></section>\n", out);
}

/* Print the size of the vmcore, compared with the size that the capture wrote. */
static void put_vmcore(FILE *out, const struct dump *dump)
{
	_cleanup_free_ char *path = path_join(dump->path, dump->vmcore);
	uint64_t written = report_u64(dump->report, "vmcore_size");
	char text[128], now[TERM_SIZE_MAX], then[TERM_SIZE_MAX];
	struct stat st;

	if (!path || lstat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
		snprintf(text, sizeof(text), "cannot be read");
	} else if (!written) {
		snprintf(text, sizeof(text), "%s", term_size(st.st_size, now));
	} else {
		bool same = written == (uint64_t)st.st_size;

		snprintf(text, sizeof(text),
			 same ? "%s, as long as the capture wrote it" : "%s, but the capture wrote %s",
			 term_size(st.st_size, now), term_size(written, then));
	}
	put_fact(out, dump->vmcore, text);
}

static void put_files(FILE *out, const struct dump *dump)
{
	char text[128], unreadable[256], size[TERM_SIZE_MAX], total[TERM_SIZE_MAX];
	uint64_t page_size = report_u64(dump->report, "pages.page_size"),
		 pages = report_u64(dump->report, "pages.written");

	open_section(out, "files", "Files", NULL);
	fputs("<dl>\n", out);
	put_fact(out, "Directory", dump->path);
	if (dump->vmcore)
		put_vmcore(out, dump);
	put_fact(out, "Collector", report_string(dump->report, "collector"));
	if (pages && page_size && pages <= UINT64_MAX / page_size) {
		snprintf(text, sizeof(text), "%" PRIu64 " pages, %s", pages, term_size(pages * page_size, size));
		put_fact(out, "In the dump", text);
	}
	put_fact(out, "Not readable", report_unreadable(dump->report, unreadable, sizeof(unreadable)));
	if (report_u64(dump->report, "memory.peak")) {
		snprintf(text, sizeof(text), "%s of %s at most",
			 term_size(report_u64(dump->report, "memory.peak"), size),
			 term_size(report_u64(dump->report, "memory.total"), total));
		put_fact(out, "Memory of the capture", text);
	}
	fputs("</dl></section>\n", out);
}

struct kd_error *html_write(FILE *out, const struct dump *dump)
{
	struct kd_error *err;

	fputs(head, out);
	fputs("<title>", out);
	put_text(out, dump_reason(dump));
	fputs("</title>\n</head>\n<body>\n", out);
	put_header(out, dump);
	fputs("<main>\n", out);
	put_facts(out, dump);
	put_backtrace(out, &dump->log);
	err = put_log(out, dump);
	if (err)
		return err;
	put_memory(out, dump);
	put_capture(out, dump);
	put_modules(out, &dump->log);
	put_files(out, dump);
	fputs("</main>\n<footer>To look inside: <code>kdumpctl debug ", out);
	put_text(out, dump_operand(dump));
	fputs("</code></footer>\n</body>\n</html>\n", out);
	return ferror(out) ? kd_error_os(errno, "cannot write the page") : NULL;
}
