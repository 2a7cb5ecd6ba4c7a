/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Which dumps a command line means: those of a directory, or a single one. */
#ifndef KDUMP_VERBS_DUMP_CHOICE_H
#define KDUMP_VERBS_DUMP_CHOICE_H

#include "kdump/dumps/dumps.h"
#include "kdump/verbs/kdumpctl.h"

/** The dumps below @directory; NULL: below the directory where kdump.conf puts them now. Errors are those of
 *  dumps_load(), kdumpctl_read_conf() and target_resolve(). */
struct kd_error *load_dumps(const struct kdumpctl *ctl, const char *directory, struct dumps *ret) MUST_CHECK;

/** The dump that @words (an operand, or NULL for the newest) mean. A path is opened as dump_open() does. Anything else
 *  is looked for by dumps_find() below the directory of --path, as for load_dumps(), and at last it may be the name of
 *  a directory. *dumps (zeroed) := the dump, and its neighbours unless it was opened by a path; *ret is one of them. */
struct kd_error *choose_dump(const struct kdumpctl *ctl, const char *words, struct dumps *dumps,
			     struct dump **ret) MUST_CHECK;

#endif
