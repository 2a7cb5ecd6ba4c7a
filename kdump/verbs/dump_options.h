/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Options of the verbs of this folder, and what those verbs share. */
#ifndef KDUMP_VERBS_DUMP_OPTIONS_H
#define KDUMP_VERBS_DUMP_OPTIONS_H

#include "base/json.h"
#include "kdump/dumps/dumps.h"

extern const struct verb_option dumps_list_options[], dumps_info_options[], dumps_log_options[], dumps_remove_options[],
	dumps_verify_options[], dumps_path_options[];

/** "2026-11-24", "2026-11-24 10:31[:07]", "now", "today", "yesterday", "3 days ago", "@1795485623"; local time, seen
 * from
 *  @now. False leaves *ret untouched. */
bool dumps_parse_time(const char *text, int64_t now, int64_t *ret);

/** What the file of a dump (@path) says by its headers alone: fills what is not known of @dump yet (release, build-id,
 * host, time when the directory's name has none to the second). *format := a line about the format, owned by the
 * caller: "kdump, lzo, level 31". What vmcore_open() says. */
struct kd_error *dump_ask_file(struct dump *dump, const char *path, char **format) MUST_CHECK;

/** What list knows of a dump, as members of the object that is open. */
void dump_put_members(struct kd_json *json, const struct dump *dump);

#endif
