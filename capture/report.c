/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/report.h"

#include "base/json.h"

static const char *const result_names[] = {
	[CAPTURE_NOTHING] = "nothing",
	[CAPTURE_LOG_ONLY] = "log-only",
	[CAPTURE_INCOMPLETE] = "incomplete",
	[CAPTURE_COMPLETE] = "complete",
};

const char *capture_result_words(enum capture_result result)
{
	static const char *const words[] = {
		[CAPTURE_NOTHING] = "nothing was saved",
		[CAPTURE_LOG_ONLY] = "only the log was saved",
		[CAPTURE_INCOMPLETE] = "incomplete, pages are missing in the dump",
		[CAPTURE_COMPLETE] = "complete",
	};

	return words[result];
}

const char *capture_result_name(enum capture_result result)
{
	return result_names[result];
}

/* "" means that the value is not known. */
static void put_known(struct kd_json *json, const char *key, const char *text)
{
	kd_json_string(json, key, *text ? text : NULL);
}

static void put_kernel(struct kd_json *json, const struct dumpfilter_identity *identity)
{
	kd_json_open(json, "kernel", '{');
	put_known(json, "release", identity->release);
	put_known(json, "version", identity->version);
	put_known(json, "machine", identity->machine);
	put_known(json, "build_id", identity->build_id);
	kd_json_u64(json, "memory", identity->memory);
	kd_json_u64(json, "cpus", identity->cpus);
	kd_json_close(json, '}');
}

static void put_target(struct kd_json *json, const struct report *report)
{
	if (!report->target) {
		kd_json_string(json, "target", NULL);
		return;
	}
	kd_json_open(json, "target", '{');
	kd_json_string(json, "type", report->target->type);
	kd_json_string(json, "device", report->target->device);
	put_known(json, "node", report->place->node);
	put_known(json, "directory", report->place->directory);
	kd_json_close(json, '}');
}

static void put_collector(struct kd_json *json, char *const *argv)
{
	char text[1024];
	size_t used = 0;

	text[0] = '\0';
	for (; *argv && used < sizeof(text); argv++)
		used += snprintf(text + used, sizeof(text) - used, "%s%s", used ? " " : "", *argv);
	kd_json_string(json, "collector", text);
}

static void put_attempts(struct kd_json *json, const struct dump_result *dump)
{
	unsigned int i;

	kd_json_open(json, "attempts", '[');
	for (i = 0; i < dump->count; i++) {
		const struct dump_attempt *attempt = &dump->attempt[i];

		kd_json_open(json, NULL, '{');
		kd_json_string(json, "rung", rung_name(attempt->rung));
		kd_json_seconds(json, "start", attempt->start);
		kd_json_seconds(json, "seconds", attempt->stop - attempt->start);
		kd_json_u64(json, "size", attempt->size);
		kd_json_u64(json, "peak_memory", attempt->peak_memory);
		put_known(json, "error", attempt->error);
		kd_json_close(json, '}');
	}
	kd_json_close(json, ']');
}

/* @place: the key for @number, "address" or "offset". */
static void put_first_unreadable(struct kd_json *json, const char *place, uint64_t number, const char *error)
{
	if (!*error) {
		kd_json_string(json, "first_unreadable", NULL);
		return;
	}
	kd_json_open(json, "first_unreadable", '{');
	kd_json_u64(json, place, number);
	kd_json_string(json, "error", error);
	kd_json_close(json, '}');
}

static void put_copy(struct kd_json *json, const struct copy_result *copy)
{
	kd_json_open(json, "copy", '{');
	kd_json_u64(json, "unreadable", copy->unreadable);
	put_first_unreadable(json, "offset", copy->first_unreadable, copy->error);
	kd_json_close(json, '}');
}

static void put_pages(struct kd_json *json, const struct dumpfilter_report *pages)
{
	unsigned int i;

	kd_json_open(json, "pages", '{');
	kd_json_u64(json, "page_size", pages->page_size);
	kd_json_u64(json, "written", pages->pages_written);
	kd_json_u64(json, "unreadable", pages->unreadable);
	put_first_unreadable(json, "address", pages->first_unreadable.paddr, pages->first_unreadable.text);
	kd_json_u64(json, "vital_unreadable", pages->vital_unreadable);
	kd_json_u64(json, "windows", pages->windows);
	kd_json_bool(json, "unfiltered", pages->unfiltered);
	for (i = 0; i < PAGE_CLASS_COUNT; i++)
		kd_json_u64(json, page_class_name(i), pages->pages[i]);
	kd_json_close(json, '}');
}

static void put_dump(struct kd_json *json, const struct report *report)
{
	const struct dump_attempt *kept = &report->dump.attempt[report->dump.kept];

	put_collector(json, report->plan->collector.argv);
	kd_json_string(json, "rung", report->dump.count ? rung_name(kept->rung) : NULL);
	put_attempts(json, &report->dump);
	kd_json_u64(json, "vmcore_size", report->dump.count ? kept->size : 0);
	kd_json_u64(json, "log_size", report->crash->log_size);
	if (report->dump.count && kept->filtered)
		put_pages(json, &kept->report);
	if (report->dump.count && kept->rung == RUNG_COPY)
		put_copy(json, &kept->copy);
}

static void put_quiesced(struct kd_json *json, const struct quiesce_result *result)
{
	unsigned int i;

	kd_json_open(json, "quiesced", '{');
	kd_json_u64(json, "count", result->count);
	kd_json_u64(json, "failed", result->failed);
	kd_json_open(json, "devices", '[');
	for (i = 0; i < result->count && i < QUIESCE_MAX_NAMES; i++)
		kd_json_string(json, NULL, result->name[i]);
	kd_json_close(json, ']');
	kd_json_close(json, '}');
}

static void put_memory(struct kd_json *json, const struct report *report)
{
	uint64_t peak = 0;
	unsigned int i;

	for (i = 0; i < report->dump.count; i++) {
		if (report->dump.attempt[i].peak_memory > peak)
			peak = report->dump.attempt[i].peak_memory;
	}
	kd_json_open(json, "memory", '{');
	kd_json_u64(json, "total", report->memory.total);
	kd_json_u64(json, "peak", report->memory.peak);
	kd_json_u64(json, "collector_peak", peak);
	kd_json_close(json, '}');
}

static void put_step(struct kd_json *json, const struct kd_flight *flight, size_t begin)
{
	const struct kd_flight_event *start = &flight->event[begin], *stop = kd_flight_end_of(flight, begin);

	if (!stop)
		return; /* the step that writes this report, or one around it */
	kd_json_open(json, NULL, '{');
	kd_json_string(json, "name", kd_flight_text(flight, start));
	kd_json_seconds(json, "start", start->time);
	kd_json_seconds(json, "seconds", stop->time - start->time);
	kd_json_bool(json, "ok", stop->kind == KD_FLIGHT_END);
	kd_json_close(json, '}');
}

static void put_steps(struct kd_json *json, const struct report *report)
{
	size_t i;

	kd_json_open(json, "steps", '[');
	for (i = 0; i < report->flight->count; i++)
		if (report->flight->event[i].kind == KD_FLIGHT_BEGIN)
			put_step(json, report->flight, i);
	kd_json_close(json, ']');
	if (report->complete_at)
		kd_json_seconds(json, "complete_at", report->complete_at);
	else
		kd_json_string(json, "complete_at", NULL);
}

static void put_errors(struct kd_json *json, const struct kd_flight *flight)
{
	size_t i;

	kd_json_open(json, "errors", '[');
	for (i = 0; i < flight->count; i++)
		if (flight->event[i].kind == KD_FLIGHT_ERROR)
			kd_json_string(json, NULL, kd_flight_text(flight, &flight->event[i]));
	kd_json_close(json, ']');
}

void report_write(FILE *out, const struct report *report)
{
	struct kd_json json = { .out = out };

	kd_json_open(&json, NULL, '{');
	kd_json_u64(&json, "format", REPORT_FORMAT);
	kd_json_string(&json, "result", result_names[report->result]);
	put_known(&json, "host", report->plan->host);
	put_known(&json, "panic", report->crash->panic);
	kd_json_u64(&json, "crash_time", report->crash->identity.crash_time);
	put_kernel(&json, &report->crash->identity);
	put_target(&json, report);
	put_dump(&json, report);
	put_quiesced(&json, &report->quiesce);
	kd_json_open(&json, "modules", '{');
	kd_json_u64(&json, "inserted", report->modules_inserted);
	kd_json_u64(&json, "failed", report->modules_failed);
	kd_json_close(&json, '}');
	put_memory(&json, report);
	put_steps(&json, report);
	put_errors(&json, report->flight);
	kd_json_close(&json, '}');
}

void report_write_public(FILE *out, const struct report *report)
{
	unsigned int public = report->plan->encryption.public;
	struct kd_json json = { .out = out };

	kd_json_open(&json, NULL, '{');
	kd_json_u64(&json, "format", REPORT_FORMAT);
	kd_json_bool(&json, "encrypted", true);
	kd_json_string(&json, "result", result_names[report->result]);
	kd_json_u64(&json, "crash_time", report->crash->identity.crash_time);
	kd_json_u64(&json, "vmcore_size", report->dump.count ? report->dump.attempt[report->dump.kept].size : 0);
	if (public & KD_PUBLIC_HOST)
		put_known(&json, "host", report->plan->host);
	if (public & KD_PUBLIC_REASON)
		put_known(&json, "panic", report->crash->panic);
	if (public & KD_PUBLIC_KERNEL) {
		kd_json_open(&json, "kernel", '{');
		put_known(&json, "release", report->crash->identity.release);
		put_known(&json, "build_id", report->crash->identity.build_id);
		kd_json_close(&json, '}');
	}
	if (public & KD_PUBLIC_MEMORY)
		put_memory(&json, report);
	kd_json_close(&json, '}');
}
