/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl verify: check whether a dump is complete and undamaged. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "dumpfilter/codec/decoder.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/verify.h"
#include "kdump/dumps/named.h"
#include "kdump/storage/mounts.h"
#include "kdump/verbs/dump_choice.h"
#include "kdump/verbs/dump_options.h"
#include "kdump/verbs/terminal.h"
#include "kdump/verbs/verbs.h"

#define EXIT_DAMAGED    1
#define EXIT_INCOMPLETE 4
#define EXIT_ENCRYPTED  5 /* nothing is wrong that can be seen from outside */

struct kd_error *describe_format(const struct vmcore_origin *origin, char **ret)
{
	const char *stream = origin->flattened ? "flattened " : "",
		   *incomplete = origin->incomplete ? ", says that it is incomplete" : "",
		   *codec = decoder_name(origin->codec);

	if (!origin->page_size)
		return kd_format(ret, "%s%s%s", stream, origin->format, incomplete);
	return kd_format(ret, "%s%s, %s, level %u%s%s", stream, origin->format,
			 codec && *codec != 'n' ? codec : "not compressed", origin->level,
			 origin->split ? ", split" : "", incomplete);
}

/* --- comparing with the report ------------------------------------------------------------------------------------ */

static void compare_with_report(const struct dump *dump, struct verification *result)
{
	uint64_t size = report_u64(dump->report, "vmcore_size"), written = report_u64(dump->report, "pages.written");
	uint64_t there = result->pages - result->missing_pages;
	const char *words = report_string(dump->report, "result");

	if (size && result->file_size < size)
		verify_add_problem(result, VERDICT_DAMAGED,
				   "the file has %" PRIu64 " bytes, but the capture wrote %" PRIu64, result->file_size,
				   size);
	if (written && result->origin.page_size && there < written)
		verify_add_problem(result, VERDICT_DAMAGED,
				   "the file has %" PRIu64 " pages, but the capture wrote %" PRIu64, there, written);
	if (dump->state == DUMP_INCOMPLETE && strcmp(dump->vmcore, "vmcore-incomplete") == 0)
		verify_add_problem(result, VERDICT_INCOMPLETE, "the capture left the file under the name %s",
				   dump->vmcore);
	else if (words && strcmp(words, dump_state_name(DUMP_INCOMPLETE)) == 0)
		verify_add_problem(result, VERDICT_INCOMPLETE, "the capture says that the dump is incomplete");
}

/* --- output ------------------------------------------------------------------------------------------------------- */

static void row(const char *key, uint64_t value)
{
	if (value)
		printf("%14s  %" PRIu64 "\n", key, value);
}

static struct kd_error *print_text(const char *path, const struct verification *result)
{
	static const enum term_colour colours[] = {
		[VERDICT_GOOD] = TERM_GREEN,
		[VERDICT_INCOMPLETE] = TERM_YELLOW,
		[VERDICT_DAMAGED] = TERM_RED,
	};
	_cleanup_free_ char *format = NULL;
	struct kd_error *err = result->origin.format ? describe_format(&result->origin, &format) : NULL;
	char size[TERM_SIZE_MAX];
	struct term term;

	if (err)
		return err;
	term_init(&term, stdout);
	term_text(&term, path);
	printf(": %s%s%s\n", term_start(&term, colours[result->verdict]), verdict_name(result->verdict),
	       term_stop(&term));
	printf("%14s  %s\n", "Size", term_size(result->file_size, size));
	if (format)
		printf("%14s  %s\n", "Format", format);
	row("CPUs", result->cpus);
	row("Memory pages", result->memory_pages);
	row("Dump pages", result->pages);
	row("  good", result->good_pages);
	row("  missing", result->missing_pages);
	row("  damaged", result->damaged_pages);
	row("  unreadable", result->unreadable_pages);
	for (unsigned int i = 0; i < result->problem_count; i++) {
		printf("%14s  ", "Problem");
		term_text(&term, result->problem[i]);
		putchar('\n');
	}
	if (result->problem_count == VERIFY_PROBLEMS_MAX)
		printf("%14s  there may be more: only the first %u are named\n", "", VERIFY_PROBLEMS_MAX);
	return NULL;
}

static void print_json(const char *path, const struct verification *result)
{
	const struct vmcore_origin *origin = &result->origin;
	struct kd_json json = { .out = stdout };

	kd_json_open(&json, NULL, '{');
	kd_json_string(&json, "file", path);
	kd_json_string(&json, "verdict", verdict_name(result->verdict));
	kd_json_u64(&json, "size", result->file_size);
	kd_json_string(&json, "format", origin->format);
	kd_json_bool(&json, "flattened", origin->flattened);
	kd_json_bool(&json, "incomplete", origin->incomplete);
	kd_json_u64(&json, "level", origin->level);
	kd_json_string(&json, "compression", origin->format ? decoder_name(origin->codec) : NULL);
	kd_json_u64(&json, "cpus", result->cpus);
	kd_json_u64(&json, "page_size", result->page_size);
	kd_json_u64(&json, "memory_pages", result->memory_pages);
	kd_json_u64(&json, "pages", result->pages);
	kd_json_u64(&json, "good", result->good_pages);
	kd_json_u64(&json, "missing", result->missing_pages);
	kd_json_u64(&json, "damaged", result->damaged_pages);
	kd_json_u64(&json, "unreadable", result->unreadable_pages);
	kd_json_open(&json, "problems", '[');
	for (unsigned int i = 0; i < result->problem_count; i++)
		kd_json_string(&json, NULL, result->problem[i]);
	kd_json_close(&json, ']');
	kd_json_close(&json, '}');
}

static void show_progress(void *arg, uint64_t done, uint64_t total)
{
	fprintf(stderr, "\rReading: %3.0f %%", total ? 100.0 * (double)done / (double)total : 100.0);
}

static struct kd_error *verify_file(const struct kdumpctl *ctl, const char *path, const struct dump *dump, int *status)
{
	_cleanup_(verification_release) struct verification result = { 0 };
	bool live = !ctl->json && isatty(STDERR_FILENO);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct kd_error *err;

	err = verify_dump(path, cpus > 0 ? (unsigned int)cpus : 1, live ? show_progress : NULL, NULL, &result);
	if (live)
		fputs("\r\033[K", stderr);
	if (err)
		return err;
	if (dump)
		compare_with_report(dump, &result);
	if (ctl->json)
		print_json(path, &result);
	else
		err = print_text(path, &result);
	if (!err && result.verdict != VERDICT_GOOD)
		*status = result.verdict == VERDICT_DAMAGED ? EXIT_DAMAGED : EXIT_INCOMPLETE;
	return err;
}

/* Without the secret key the name of the file and its length are all there is. */
static void verify_encrypted(const struct kdumpctl *ctl, const char *path, const struct dump *dump, int *status)
{
	bool whole = dump->state == DUMP_COMPLETE, written = report_u64(dump->report, "vmcore_size") > 0;
	const char *problem = whole ? NULL :
				      "the name of the file or its length says that the capture was interrupted, "
				      "or that the file was cut off";
	struct kd_json json = { .out = stdout };
	struct term term;

	*status = whole ? EXIT_ENCRYPTED : EXIT_INCOMPLETE;
	if (!ctl->json) {
		term_init(&term, stdout);
		term_line(&term, "%s: %s", path, whole ? "encrypted" : "encrypted, incomplete");
		printf("%14s  %s\n", "",
		       problem ? problem :
		       written ? "it is as long as the capture wrote it" :
				 "its length is not known from anywhere, but one that a whole file can have");
		term_line(&term, "%14s  \"kdumpctl decrypt --identity FILE %s\" checks every byte of it", "", path);
		return;
	}
	kd_json_open(&json, NULL, '{');
	kd_json_string(&json, "file", path);
	kd_json_string(&json, "verdict", whole ? "encrypted" : "incomplete");
	kd_json_open(&json, "problems", '[');
	if (problem)
		kd_json_string(&json, NULL, problem);
	kd_json_close(&json, ']');
	kd_json_close(&json, '}');
}

struct kd_error *dumps_verify(struct kdumpctl *ctl, int *status)
{
	const char *words = ctl->argument_count ? ctl->argument[0] : NULL;
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	_cleanup_free_ char *path = NULL;
	struct dump *dump;
	struct kd_error *err;

	err = choose_dump(ctl, words, &dumps, &dump);
	if (!err && dump->form != DUMP_ENCRYPTED && dump_is_named_file(words))
		return verify_file(ctl, words, NULL, status);
	if (err)
		return err;
	if (!dump->vmcore)
		return kd_error_create(KD_ERR_NOT_FOUND, "%s has no dump, only a log: \"kdumpctl log %s\" prints it",
				       dump->path, dump_operand(dump));
	path = path_join(dump->path, dump->vmcore);
	if (path && dump->form == DUMP_ENCRYPTED) {
		verify_encrypted(ctl, path, dump, status);
		return NULL;
	}
	return path ? verify_file(ctl, path, dump, status) : kd_error_nomem();
}
