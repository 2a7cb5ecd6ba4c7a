/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl log, remove, pin, unpin. */
#include <string.h>

#include "base/parse.h"
#include "kdump/dumps/dumps.h"
#include "kdump/dumps/options.h"
#include "kdump/term.h"

enum { LOG_LINES, LOG_PATH };

const struct verb_option dumps_log_options[] = {
	[LOG_LINES] = { "lines", 'n', "N", "only the last N lines" },
	[LOG_PATH] = { "path", 'p', "DIR", "dumps below DIR instead of where kdump.conf puts them" },
	{ .name = NULL },
};

enum { REMOVE_FORCE, REMOVE_PATH };

const struct verb_option dumps_remove_options[] = {
	[REMOVE_FORCE] = { "force", 'f', NULL, "pinned ones, too" },
	[REMOVE_PATH] = { "path", 'p', "DIR", "dumps below DIR instead of where kdump.conf puts them" },
	{ .name = NULL },
};

enum { PATH_PATH };

const struct verb_option dumps_path_options[] = {
	[PATH_PATH] = { "path", 'p', "DIR", "dumps below DIR instead of where kdump.conf puts them" },
	{ .name = NULL },
};

struct kd_error *dumps_log(struct kdumpctl *ctl, int *status)
{
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	_cleanup_free_ char *text = NULL;
	uint64_t count = UINT64_MAX;
	struct dump *dump;
	struct term term;
	struct kd_error *err;
	char *cursor, *line;

	if (ctl->option[LOG_LINES] && !kd_parse_u64(ctl->option[LOG_LINES], 10, &count))
		return kd_error_create(KD_ERR_USAGE, "--lines=%s: give a number", ctl->option[LOG_LINES]);
	err = dumps_load(ctl, ctl->option[LOG_PATH], &dumps);
	if (!err)
		err = dumps_find(&dumps, ctl->argument_count ? ctl->argument[0] : NULL, &dump);
	if (!err)
		err = dump_read_log(dump, &text);
	if (err)
		return err;
	term_init(&term, stdout);
	cursor = (char *)crash_log_tail(text, count);
	while (cursor && *cursor) {
		line = strsep(&cursor, "\n");
		term_text(&term, line);
		putchar('\n');
	}
	return NULL;
}

/* Do something to each dump that is named; the first that fails ends it. */
static struct kd_error *for_each(struct kdumpctl *ctl, const char *path,
				 struct kd_error *(*work)(struct kdumpctl *ctl, const struct dumps *dumps,
							  const struct dump *dump))
{
	struct kd_error *err = NULL;
	size_t i;

	for (i = 0; i < ctl->argument_count && !err; i++) {
		_cleanup_(dumps_free) struct dumps dumps = { 0 };
		struct dump *dump;

		err = dumps_load(ctl, path, &dumps);
		if (!err)
			err = dumps_find(&dumps, ctl->argument[i], &dump);
		if (!err)
			err = work(ctl, &dumps, dump);
	}
	return err;
}

static struct kd_error *remove_one(struct kdumpctl *ctl, const struct dumps *dumps, const struct dump *dump)
{
	struct kd_error *err;

	if (dump->pinned && !ctl->option[REMOVE_FORCE])
		return kd_error_create(KD_ERR_STATE, "%s is pinned: \"kdumpctl unpin %s\" first, or use --force", dump->name,
				       dump->name);
	err = dump_remove(dumps, dump);
	if (!err)
		kd_info(&ctl->log, "Removed %s", dump->path);
	return err;
}

static struct kd_error *pin_one(struct kdumpctl *ctl, const struct dumps *dumps, const struct dump *dump)
{
	struct kd_error *err = dump_pin(dump, true);

	if (!err)
		kd_info(&ctl->log, "Pinned %s: it stays until it is unpinned", dump->name);
	return err;
}

static struct kd_error *unpin_one(struct kdumpctl *ctl, const struct dumps *dumps, const struct dump *dump)
{
	struct kd_error *err = dump_pin(dump, false);

	if (!err)
		kd_info(&ctl->log, "Unpinned %s", dump->name);
	return err;
}

struct kd_error *dumps_remove(struct kdumpctl *ctl, int *status)
{
	return for_each(ctl, ctl->option[REMOVE_PATH], remove_one);
}

struct kd_error *dumps_pin(struct kdumpctl *ctl, int *status)
{
	return for_each(ctl, ctl->option[PATH_PATH], pin_one);
}

struct kd_error *dumps_unpin(struct kdumpctl *ctl, int *status)
{
	return for_each(ctl, ctl->option[PATH_PATH], unpin_one);
}
