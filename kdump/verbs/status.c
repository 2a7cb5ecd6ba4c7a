/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "kdumpctl status": the loaded image, by the kernel and the record of the last load, and the changes since. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/json.h"
#include "base/parse.h"
#include "kdump/airbag/ask.h"
#include "kdump/arming/creation_test.h"
#include "kdump/arming/health.h"
#include "kdump/arming/transition.h"
#include "kdump/config/settings.h"
#include "kdump/loader/loader.h"
#include "kdump/verbs/containers.h"
#include "kdump/verbs/status.h"
#include "kdump/verbs/terminal.h"
#include "kdump/verbs/verbs.h"

/* Red Hat's exit status when nothing is loaded, which is also LSB's "program is not running". */
#define STATUS_NOT_OPERATIONAL 3
#define STATUS_STALE           4 /* with --strict */

enum { OPTION_METRICS, OPTION_STRICT };

const struct verb_option status_options[] = {
	[OPTION_METRICS] = { .name = "metrics",
			     .value = "[FILE]",
			     .help = "print for Prometheus, or write that into FILE" },
	[OPTION_STRICT] = { .name = "strict", .help = "exit with 4 if the image is not up to date, or lacks a target" },
	{ 0 },
};

#define SANDBOXED                                                                                                      \
	"this process has mounts of its own (a sandboxed unit?): what it does not see is not taken for a change"

/* --- for people --------------------------------------------------------------------------------------------------- */

static void print_details(const struct kdumpctl *ctl, const struct health *health)
{
	const struct armed *armed = &health->armed;
	char when[TERM_TIME_MAX], age[TERM_TIME_MAX];
	struct term term;

	term_init(&term, stdout);
	printf("state         %s\n", health_sentence(health));
	if (armed->time) {
		printf("loaded        %s (%s), %s\n", term_time(armed->time, when), term_age(armed->time, age),
		       armed->call ? armed->call : "?");
	}
	if (armed->kernel)
		printf("kernel        %s (%s)\n", armed->kernel, armed->release ? armed->release : "?");
	if (armed->initrd) {
		printf("initramfs     %s", armed->initrd);
		if (health->initrd_size)
			printf(" (%.1f MiB, built %s)", health->initrd_size / 1048576.0,
			       term_age(health->initrd_time, age));
		putchar('\n');
	}
	if (armed->fallback)
		printf("fallback      %s\n", armed->fallback);
	if (armed->comeback)
		printf("way back      %s\n", armed->comeback);
	if (armed->crashes)
		printf("crash loop    %s\n", armed->crashes);
	if (armed->target)
		printf("target        %s\n", armed->target);
	if (armed->directory)
		printf("dumps         %s\n", armed->directory);
	for (size_t i = 0; i < armed->left_out_count; i++)
		term_line(&term, "left out      %s", armed->left_out[i].text);
	containers_print_fit(ctl, "container", 14);
	if (armed->cmdline)
		printf("command line  %s\n", armed->cmdline);
	printf("reservation   %" PRIu64 " MiB", health->reserved >> 20);
	if (health->needed)
		printf(", of which %" PRIu64 " MiB are needed: \"kdumpctl estimate\"", kd_mib_up(health->needed));
	putchar('\n');
	if (health->captured)
		term_line(&term, "last dump     %s, %s: \"kdumpctl info\"", health->capture_name,
			  term_age(health->captured, age));
}

static void print_changes(const struct health *health)
{
	struct term term;
	size_t i;

	term_init(&term, stdout);
	if (health->sandboxed)
		printf("view          " SANDBOXED "\n");
	for (i = 0; i < health->changes; i++) {
		const struct input_change *change = &health->change[i];

		printf("%schanged       ", term_start(&term, TERM_RED));
		term_text(&term, change->name);
		printf(" %s since: %s: %s%s\n", change->how, change->meaning, change->remedy, term_stop(&term));
	}
}

/* One line for each problem, for "kdumpctl status" without options. */
static void warn_of_problems(const struct kdumpctl *ctl, const struct health *health)
{
	_cleanup_free_ char *failure = health->loaded ? NULL : transition_failure(&ctl->root);
	size_t i;

	if (failure)
		kd_warn(&ctl->log, "the last attempt to arm has failed: %s", failure);

	if (health->state == ARMED_LOST || health->state == ARMED_FOREIGN || health->state == ARMED_TRIAL)
		kd_warn(&ctl->log, "%s", health_sentence(health));
	if (!health->reserved)
		kd_warn(&ctl->log, "No memory reserved for crash kernel: crashkernel= is not on the kernel's command "
				   "line, or there was not enough memory for it");
	if (health->needed > health->reserved)
		kd_warn(&ctl->log,
			"the capture needs %" PRIu64 " MiB, but only %" PRIu64 " MiB are reserved: "
			"\"kdumpctl reset-crashkernel\", then reboot",
			kd_mib_up(health->needed), health->reserved >> 20);
	if (health->sandboxed)
		kd_info(&ctl->log, SANDBOXED);
	if (health->armed.fallback)
		kd_warn(&ctl->log, "armed with %s", health->armed.fallback);
	for (i = 0; i < health->armed.left_out_count; i++)
		kd_warn(&ctl->log, "%s; \"kdumpctl reload\" takes it in when it can be had",
			health->armed.left_out[i].text);
	if (health->armed.comeback && strstr(health->armed.comeback, "through the firmware"))
		kd_warn(&ctl->log, "the way back after a crash: %s", health->armed.comeback);
	if (health->armed.crashes && !kd_starts_with(health->armed.crashes, "0 "))
		kd_warn(&ctl->log, "crash loop: %s", health->armed.crashes);
	for (i = 0; i < health->changes; i++)
		kd_warn(&ctl->log, "%s %s since: %s: %s", health->change[i].name, health->change[i].how,
			health->change[i].meaning, health->change[i].remedy);
	containers_warn_of_fit(ctl);
}

/* Only the word "no" turns the line off, as in Red Hat's settings. */
static bool is_remark_wanted(const struct kdumpctl *ctl)
{
	_cleanup_(settings_free) struct settings settings = { 0 };

	return kd_error_discard(settings_load(&ctl->root, NULL, &settings)) || !settings.creation_notification ||
	       strcmp(settings.creation_notification, "no") != 0;
}

/* Red Hat's line about the last test. */
static void remark_test(const struct kdumpctl *ctl)
{
	struct creation_test test;
	char date[TERM_TIME_MAX];

	if (!is_remark_wanted(ctl))
		return;
	if (!creation_test_read(&ctl->root, &test)) {
		kd_info(&ctl->log, "No vmcore creation test performed!");
		return;
	}
	term_time(test.time, date);
	if (strcmp(test.result, "success") == 0)
		kd_info(&ctl->log, "Notice: Last successful vmcore creation test on %s", date);
	else if (strcmp(test.result, "fail") == 0)
		kd_info(&ctl->log, "Last NOT successful vmcore creation test on %s", date);
	else
		kd_info(&ctl->log, "Require manual check for vmcore creation test of %s", date);
}

/* --- for programs ------------------------------------------------------------------------------------------------- */

static void put_known(struct kd_json *json, const char *key, const char *text)
{
	if (text)
		kd_json_string(json, key, text);
}

static void put_changes(struct kd_json *json, const struct health *health)
{
	size_t i;

	kd_json_open(json, "changes", '[');
	for (i = 0; i < health->changes; i++) {
		const struct input_change *change = &health->change[i];

		kd_json_open(json, NULL, '{');
		kd_json_string(json, "kind", change->kind);
		kd_json_string(json, "name", change->name);
		kd_json_string(json, "how", change->how);
		kd_json_string(json, "meaning", change->meaning);
		kd_json_string(json, "remedy", change->remedy);
		kd_json_bool(json, "dangerous", change->dangerous);
		kd_json_close(json, '}');
	}
	kd_json_close(json, ']');
}

static void put_inputs(struct kd_json *json, const struct inputs *inputs)
{
	size_t i;

	kd_json_open(json, "inputs", '[');
	for (i = 0; i < inputs->count; i++) {
		kd_json_open(json, NULL, '{');
		kd_json_string(json, "kind", inputs_kind(&inputs->input[i]));
		kd_json_string(json, "name", inputs->input[i].name);
		kd_json_string(json, "identity", inputs->input[i].identity);
		kd_json_close(json, '}');
	}
	kd_json_close(json, ']');
}

static void print_json(const struct kdumpctl *ctl, const struct health *health)
{
	const struct armed *armed = &health->armed;
	struct kd_json json = { .out = stdout };
	size_t i;

	kd_json_open(&json, NULL, '{');
	kd_json_bool(&json, "operational", health->loaded);
	kd_json_string(&json, "state", health_word(health));
	kd_json_bool(&json, "stale", health_is_stale(health));
	kd_json_bool(&json, "sandboxed", health->sandboxed);
	kd_json_u64(&json, "reserved_bytes", health->reserved);
	if (health->needed)
		kd_json_u64(&json, "needed_bytes", health->needed);
	if (armed->time)
		kd_json_u64(&json, "loaded_at", armed->time);
	put_known(&json, "loaded_by", armed->call);
	put_known(&json, "kernel", armed->kernel);
	put_known(&json, "kernel_release", armed->release);
	put_known(&json, "initramfs", armed->initrd);
	put_known(&json, "initramfs_sha256", armed->initrd_hash);
	if (health->initrd_size) {
		kd_json_u64(&json, "initramfs_bytes", health->initrd_size);
		kd_json_u64(&json, "initramfs_built_at", health->initrd_time);
	}
	put_known(&json, "fallback", armed->fallback);
	put_known(&json, "way_back", armed->comeback);
	put_known(&json, "crash_loop", armed->crashes);
	put_known(&json, "target", armed->target);
	put_known(&json, "directory", armed->directory);
	kd_json_open(&json, "left_out", '[');
	for (i = 0; i < armed->left_out_count; i++)
		kd_json_string(&json, NULL, armed->left_out[i].text);
	kd_json_close(&json, ']');
	put_known(&json, "command_line", armed->cmdline);
	if (health->captured) {
		kd_json_string(&json, "last_capture", health->capture_name);
		kd_json_u64(&json, "last_capture_at", health->captured);
	}
	containers_put_fit(ctl, &json);
	kd_json_open(&json, "changed", '[');
	for (i = 0; i < health->changes; i++)
		kd_json_string(&json, NULL, health->change[i].name);
	kd_json_close(&json, ']');
	put_changes(&json, health);
	put_inputs(&json, &armed->inputs);
	kd_json_close(&json, '}');
}

static void put_metric(FILE *out, const char *name, const char *help, uint64_t value)
{
	fprintf(out, "# HELP kdump_%s %s\n# TYPE kdump_%s gauge\nkdump_%s %" PRIu64 "\n", name, help, name, name,
		value);
}

static void print_metrics(const struct health *health, FILE *out)
{
	put_metric(out, "armed", "Whether a capture kernel is loaded.", health->loaded);
	put_metric(out, "stale", "Whether the image is not up to date.", health_is_stale(health));
	put_metric(out, "changes", "How many inputs of the image have changed since the load.", health->changes);
	put_metric(out, "targets_left_out", "How many targets of kdump.conf the image lacks.",
		   health->armed.left_out_count);
	put_metric(out, "reserved_bytes", "Memory reserved for the capture kernel.", health->reserved);
	if (health->needed)
		put_metric(out, "needed_bytes", "Memory that the capture needs.", health->needed);
	if (health->armed.time)
		put_metric(out, "loaded_timestamp_seconds", "When the capture kernel was loaded.", health->armed.time);
	if (health->captured)
		put_metric(out, "last_capture_timestamp_seconds", "When the newest dump was taken.", health->captured);
	if (health->initrd_size)
		put_metric(out, "initramfs_bytes", "Size of the capture initramfs.", health->initrd_size);
}

struct kd_error *status_write_metrics(const struct kd_sysroot *root, const struct health *health, const char *path)
{
	_cleanup_free_ char *text = NULL, *full = kd_sysroot_path(root, path);
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!full || !out) {
		if (out)
			fclose(out);
		return kd_error_nomem();
	}
	print_metrics(health, out);
	if (fclose(out))
		return kd_error_nomem();
	return kd_error_wrap(kd_write_file_atomic(full, text, size, 0644), "metrics");
}

/* --- verbs -------------------------------------------------------------------------------------------------------- */

static struct kd_error *show(const struct kdumpctl *ctl, const struct health *health)
{
	const char *metrics = ctl->option[OPTION_METRICS];

	if (metrics && *metrics)
		return status_write_metrics(&ctl->root, health, metrics);
	if (metrics)
		print_metrics(health, stdout);
	else if (ctl->json)
		print_json(ctl, health);
	else if (ctl->verbose) {
		print_details(ctl, health);
		print_changes(health);
	} else
		warn_of_problems(ctl, health);
	return NULL;
}

/* What is loaded then is the old kernel. */
static void remark_trial(const struct kdumpctl *ctl)
{
	struct airbag_status airbag = { 0 };
	struct kd_error *err = kd_sysroot_is_live(&ctl->root) ? airbag_status(&airbag) : NULL;

	if (airbag.pending && airbag.told)
		kd_info(&ctl->log,
			"this kernel is on trial: unless \"kdumpctl healthy\" ends that within %" PRIu64
			" seconds, the old kernel returns, as it does%s after a panic%s%s",
			airbag.left, airbag.armed ? "" : " through the firmware",
			*airbag.watchdogs ? "; it guards the trial with " : "", airbag.watchdogs);
	kd_log_error(&ctl->log, err);
}

struct kd_error *status_show(struct kdumpctl *ctl, int *exit_status)
{
	_cleanup_(health_free) struct health health = { 0 };
	struct kd_error *err = health_check(&ctl->root, &ctl->log, &health);

	if (err)
		return err;
	kd_info(&ctl->log, "Kdump is %soperational", health.loaded ? "" : "not ");
	if (!ctl->json && !ctl->option[OPTION_METRICS]) {
		remark_trial(ctl);
		remark_test(ctl);
	}
	err = show(ctl, &health);
	if (err)
		return err;
	if (!health.loaded)
		*exit_status = STATUS_NOT_OPERATIONAL;
	else if (ctl->option[OPTION_STRICT] && (health_is_stale(&health) || health.armed.left_out_count))
		*exit_status = STATUS_STALE;
	return NULL;
}

struct kd_error *status_showmem(struct kdumpctl *ctl, int *exit_status)
{
	uint64_t reserved;
	struct kd_error *err = loader_crash_size(&ctl->root, &reserved);

	if (err)
		return err;
	kd_info(&ctl->log, "Reserved %" PRIu64 "MB memory for crash kernel", reserved >> 20);
	return NULL;
}
