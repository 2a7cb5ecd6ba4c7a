/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/hooks.h"

#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "capture/child.h"
#include "capture/clock.h"
#include "capture/programs.h"

enum { HOOK_SECONDS = 600 };

struct hook_run {
	char *const *argv;
	const char *argument;
};

static struct kd_error *run_hook(void *arg)
{
	const struct hook_run *run = arg;
	size_t argc = kd_count_words(run->argv);
	/* A script may run any of them. */
	struct kd_error *err = programs_expand("", NULL);
	char **argv;

	if (!err)
		err = programs_link_commands("");
	if (err)
		return err;
	argv = calloc(argc + 2, sizeof(*argv));
	if (!argv)
		return kd_error_nomem();
	memcpy(argv, run->argv, argc * sizeof(*argv));
	argv[argc] = (char *)run->argument;
	return child_exec(argv);
}

/* The plan's word in plain language. */
static const char *occasion(const char *when)
{
	if (strcmp(when, "emergency") == 0)
		return "since no whole dump was saved";
	return strcmp(when, "post") == 0 ? "after the dump" : "before the dump";
}

bool hooks_exist(const struct kd_plan *plan, const char *when)
{
	size_t i;

	for (i = 0; i < plan->hook_count; i++)
		if (strcmp(plan->hook[i].when, when) == 0)
			return true;
	return false;
}

struct kd_error *hooks_run(const struct kd_plan *plan, const char *when, const char *argument, int64_t deadline,
			   const struct kd_log *log)
{
	struct kd_error *first = NULL;
	size_t i;

	for (i = 0; i < plan->hook_count; i++) {
		struct hook_run run = { .argv = plan->hook[i].argv, .argument = argument };
		struct child_job job = { .name = run.argv[0],
					 .run = run_hook,
					 .arg = &run,
					 .deadline = clock_deadline(HOOK_SECONDS, deadline),
					 .expendable = true };
		struct kd_error *err;

		if (strcmp(plan->hook[i].when, when) != 0)
			continue;
		kd_info(log, "running %s %s", run.argv[0], occasion(when));
		err = child_run(&job, NULL);
		if (first)
			kd_log_error(log, err);
		else
			first = err;
	}
	return first;
}
