/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl log: the kernel's log up to the crash. */
#include <string.h>

#include "base/klog.h"
#include "base/parse.h"
#include "kdump/dumps/named.h"
#include "kdump/verbs/dump_choice.h"
#include "kdump/verbs/dump_options.h"
#include "kdump/verbs/terminal.h"
#include "kdump/verbs/verbs.h"

enum { OPTION_LINES = DUMP_OPTION_PATH + 1 };

const struct verb_option dumps_log_options[] = {
	DUMP_PATH_OPTION,
	[OPTION_LINES] = { "lines", 'n', "N", "print only the last N lines" },
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

	if (ctl->option[OPTION_LINES] && !kd_parse_u64(ctl->option[OPTION_LINES], 10, &count))
		return kd_error_create(KD_ERR_USAGE, "--lines=%s: give a number", ctl->option[OPTION_LINES]);
	err = choose_dump(ctl, ctl->argument_count ? ctl->argument[0] : NULL, &dumps, &dump);
	if (!err)
		err = dump_read_log(dump, &text);
	if (err)
		return err;
	term_init(&term, stdout);
	cursor = (char *)kd_klog_tail(text, count);
	while (cursor && *cursor) {
		line = strsep(&cursor, "\n");
		term_text(&term, line);
		putchar('\n');
	}
	return NULL;
}
