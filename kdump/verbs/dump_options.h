/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The option and the functions that the verbs for dumps share. */
#ifndef KDUMP_VERBS_DUMP_OPTIONS_H
#define KDUMP_VERBS_DUMP_OPTIONS_H

#include "base/json.h"
#include "kdump/dumps/dumps.h"
#include "kdump/verbs/kdumpctl.h"

/** The option that the verbs for dumps have, first in each table. */
enum { DUMP_OPTION_PATH };
#define DUMP_PATH_OPTION                                                                                               \
	[DUMP_OPTION_PATH] = { "path", 'p', "DIR", "look for dumps below DIR, not where kdump.conf puts them" }

/** Parse "2026-11-24", "2026-11-24 10:31[:07]", "now", "today", "yesterday", "3 days ago" or "@1795485623": local
 *  time, relative to @now. False leaves *ret untouched. */
bool dumps_parse_time(const char *text, int64_t now, int64_t *ret);

struct vmcore_origin; /* dumpfilter/vmcore/vmcore.h */

/** Describe a format: "kdump, lzo, level 31". *ret is owned by the caller. KD_ERR_NOMEM. */
struct kd_error *describe_format(const struct vmcore_origin *origin, char **ret) MUST_CHECK;

/** Write the columns of list as members of the open object. */
void dump_put_members(struct kd_json *json, const struct dump *dump);

#endif
