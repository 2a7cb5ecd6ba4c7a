/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of checks, and how their results are shown. */
#include "kdump/verbs/check/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/json.h"
#include "kdump/verbs/terminal.h"
#include "kdump/verbs/verbs.h"

enum scope {
	ONCE,
	CHEAP,       /* takes a few milliseconds and needs only conf and target: run at every start, too */
	EACH_TARGET, /* has one result for each target */
};

static const struct check {
	const char *name;
	enum scope scope;
	check_function *run;
} checks[] = {
	{ "configuration", ONCE, check_configuration },
	{ "settings", ONCE, check_settings },
	{ "kdump-tools", ONCE, check_kdump_tools },
	{ "kexec", ONCE, check_kexec },
	{ "loading", ONCE, check_load_disabled },
	{ "reservation", ONCE, check_reservation },
	{ "kernel", ONCE, check_kernel },
	{ "signature", ONCE, check_signature },
	{ "target", EACH_TARGET, check_target },
	{ "writable", ONCE, check_writable },
	{ "owner", CHEAP, check_owner },
	{ "space", CHEAP, check_space },
	{ "inodes", CHEAP, check_inodes },
	{ "file system", CHEAP, check_file_system },
	{ "keys", ONCE, check_keys },
	{ "programs", ONCE, check_programs },
	{ "libraries", ONCE, check_libraries },
	{ "hook directories", CHEAP, check_hook_directories },
	{ "image", ONCE, check_image },
	{ "drivers", ONCE, check_drivers },
	{ "firmware", ONCE, check_firmware },
	{ "watchdog", ONCE, check_watchdog },
	{ "armed", ONCE, check_armed },
	{ "armed image", ONCE, check_armed_image },
	{ "at boot", ONCE, check_unit },
	{ "other packages", CHEAP, check_rivals },
	{ "panic", ONCE, check_panic },
	{ "clock", ONCE, check_clock },
};

static const struct {
	const char *word;
	enum term_colour colour;
} verdicts[] = {
	[CHECK_OK] = { "ok", TERM_GREEN },
	[CHECK_NOT_APPLICABLE] = { "-", TERM_DIM },
	[CHECK_WARNING] = { "warning", TERM_YELLOW },
	[CHECK_FAILURE] = { "FAILURE", TERM_RED },
};

void check_say(struct check_result *result, enum check_verdict verdict, const char *remedy, const char *format, ...)
{
	va_list args;

	free(result->text);
	result->verdict = verdict;
	result->remedy = remedy;
	va_start(args, format);
	if (vasprintf(&result->text, format, args) < 0)
		result->text = NULL;
	va_end(args);
}

void check_say_error(struct check_result *result, enum check_verdict verdict, struct kd_error *err)
{
	check_say(result, verdict, NULL, "%s", err->text);
	kd_error_destroy(err);
}

static const char *text_of(const struct check_result *result)
{
	return result->text ? result->text : "out of memory";
}

/* --- resolving ---------------------------------------------------------------------------------------------------- */

struct resolved {
	struct kd_conf conf;
	struct settings settings;
	struct kernel kernel;
	struct chain chain;
	struct kd_plan plan;
	struct plan_programs programs;
	struct kd_error *conf_error, *settings_error, *kernel_error, *chain_error, *plan_error;
	struct check_context context;
};

static void resolved_free(struct resolved *r)
{
	kd_conf_free(&r->conf);
	settings_free(&r->settings);
	kernel_free(&r->kernel);
	chain_free(&r->chain);
	kd_plan_free(&r->plan);
	plan_programs_free(&r->programs);
	kd_error_destroy(r->conf_error);
	kd_error_destroy(r->settings_error);
	kd_error_destroy(r->kernel_error);
	kd_error_destroy(r->chain_error);
	kd_error_destroy(r->plan_error);
	free(r->context.initrd);
}
static inline void resolved_free_cleanup(struct resolved *r)
{
	resolved_free(r);
}

#define TEXT(err) ((err) ? (err)->text : NULL)

static void resolve(const struct kdumpctl *ctl, struct resolved *r)
{
	const struct target *targets[CHAIN_MAX + 1];
	struct check_context *context = &r->context;

	context->ctl = ctl;
	context->now = kd_sysroot_is_live(&ctl->root) ? time(NULL) : 0;
	r->conf_error = kd_conf_load(&ctl->root, &ctl->log, ctl->conf_file, &r->conf);
	if (!r->conf_error)
		context->conf = &r->conf;
	r->settings_error = settings_load(&ctl->root, NULL, &r->settings);
	if (!r->settings_error)
		context->settings = &r->settings;
	if (context->settings)
		r->kernel_error = kernel_find(&ctl->root, &r->settings, ctl->kernel, &r->kernel);
	if (context->settings && !r->kernel_error)
		context->kernel = &r->kernel;
	if (context->conf)
		r->chain_error = chain_look(&ctl->root, NULL, &r->conf, &r->chain);
	chain_list(&r->chain, targets);
	context->target = *targets;
	if (context->kernel && context->target && !r->chain_error)
		r->plan_error = plan_resolve(&ctl->root, NULL, &r->conf, r->kernel.release, targets, &r->plan,
					     &r->programs);
	if (context->kernel && context->target && !r->chain_error && !r->plan_error)
		context->plan = &r->plan;
	if (context->kernel) /* without memory for the path no check looks at the image */
		kd_error_destroy(kernel_initramfs(KD_STATEDIR, r->kernel.release, &context->initrd));
	context->conf_error = TEXT(r->conf_error);
	context->settings_error = TEXT(r->settings_error);
	context->kernel_error = TEXT(r->kernel_error);
	context->target_error = TEXT(r->chain_error);
	context->plan_error = TEXT(r->plan_error);
}

/* --- showing ------------------------------------------------------------------------------------------------------ */

void check_print(const struct term *term, const char *name, const struct check_result *result)
{
	enum term_colour colour = verdicts[result->verdict].colour;

	fprintf(term->out, "%s%-7s%s  %-16s  ", term_start(term, colour), verdicts[result->verdict].word,
		term_stop(term), name);
	term_text(term, text_of(result));
	fputc('\n', term->out);
	if (result->remedy && result->verdict > CHECK_NOT_APPLICABLE)
		fprintf(term->out, "%27s%s\n", "", result->remedy);
}

static void put_result(struct kd_json *json, const struct check *check, const struct check_result *result)
{
	static const char *const words[] = {
		[CHECK_OK] = "ok",
		[CHECK_NOT_APPLICABLE] = "not applicable",
		[CHECK_WARNING] = "warning",
		[CHECK_FAILURE] = "failure",
	};

	kd_json_open(json, NULL, '{');
	kd_json_string(json, "name", check->name);
	kd_json_string(json, "verdict", words[result->verdict]);
	kd_json_string(json, "text", text_of(result));
	kd_json_string(json, "remedy", result->verdict > CHECK_NOT_APPLICABLE ? result->remedy : NULL);
	kd_json_close(json, '}');
}

/* Rows that are run for each target have this one in the place of the first. */
static void take_member(const struct chain *chain, size_t i, struct check_context *context)
{
	const struct chain_member *member = &chain->member[i];

	context->target = member->err ? NULL : &member->target;
	context->target_error = TEXT(member->err);
	context->left_out = member->err && chain_may_leave_out(member->err) && chain_first(chain);
}

struct kd_error *check_everything(struct kdumpctl *ctl, unsigned int *failures)
{
	_cleanup_(resolved_free) struct resolved resolved = { 0 };
	struct kd_json json = { .out = stdout };
	unsigned int count[ARRAY_SIZE(verdicts)] = { 0 };
	struct term term;
	size_t i, k;

	resolve(ctl, &resolved);
	term_init(&term, stdout);
	if (ctl->json) {
		kd_json_open(&json, NULL, '{');
		kd_json_open(&json, "checks", '[');
	}
	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		size_t members = checks[i].scope == EACH_TARGET ? resolved.chain.count : 0;

		for (k = 0; k < (members ? members : 1); k++) {
			struct check_context context = resolved.context;
			struct check_result result = { .verdict = CHECK_NOT_APPLICABLE };

			if (members)
				take_member(&resolved.chain, k, &context);
			checks[i].run(&context, &result);
			count[result.verdict]++;
			if (ctl->json)
				put_result(&json, &checks[i], &result);
			else
				check_print(&term, checks[i].name, &result);
			free(result.text);
		}
	}
	if (ctl->json) {
		kd_json_close(&json, ']');
		kd_json_u64(&json, "failures", count[CHECK_FAILURE]);
		kd_json_u64(&json, "warnings", count[CHECK_WARNING]);
		kd_json_close(&json, '}');
	} else {
		printf("\n%u failed, %u warnings\n", count[CHECK_FAILURE], count[CHECK_WARNING]);
	}
	*failures = count[CHECK_FAILURE];
	return NULL;
}

void check_cheaply(const struct kdumpctl *ctl, const struct kd_conf *conf, const struct target *target)
{
	const struct check_context context = { .ctl = ctl, .conf = conf, .target = target };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		struct check_result result = { .verdict = CHECK_NOT_APPLICABLE };

		if (checks[i].scope != CHEAP)
			continue;
		checks[i].run(&context, &result);
		if (result.verdict > CHECK_NOT_APPLICABLE)
			kd_warn(&ctl->log, "%s%s%s", text_of(&result), result.remedy ? ": " : "",
				result.remedy ? result.remedy : "");
		free(result.text);
	}
}

struct kd_error *check_show(struct kdumpctl *ctl, int *status)
{
	unsigned int failures;
	struct kd_error *err = check_everything(ctl, &failures);

	if (!err && failures)
		*status = 1;
	return err;
}
