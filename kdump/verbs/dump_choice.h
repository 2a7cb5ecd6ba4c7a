/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The dumps that a command line selects: those in a directory, or a single one. */
#ifndef KDUMP_VERBS_DUMP_CHOICE_H
#define KDUMP_VERBS_DUMP_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "kdump/arming/chain.h"
#include "kdump/dumps/dumps.h"
#include "kdump/verbs/kdumpctl.h"

/** The directory where kdump.conf puts the dumps of the first target, as a path on this machine: *ret is owned by the
 *  caller. Dumps in a container get there at the next boot. KD_ERR_STATE: its file system is not mounted, or the target
 *  is a server by ssh, http or s3; the error says how to look there. */
struct kd_error *dumps_directory(const struct kdumpctl *ctl, char **ret) MUST_CHECK;

/** Tell on ctl->log where there may be dumps that cannot be looked at now, and how to get at them: on such servers, and
 *  on file systems that are away. @from: the number of the first target that is told of. */
void dumps_remark_elsewhere(const struct kdumpctl *ctl, size_t from);

/** Load the dumps below @directory, which the user names, and which may be anybody's; NULL: the machine's own in all
 *  places where kdump.conf puts them that can be looked at now. Errors are those of dumps_load(), kd_conf_load() and,
 *  where no place can be, dumps_directory(). */
struct kd_error *load_dumps(const struct kdumpctl *ctl, const char *directory, struct dumps *ret) MUST_CHECK;

/** The dumps in each place where kdump.conf puts some, but for servers by ssh, http or s3. */
struct all_dumps {
	struct dumps place[CHAIN_MAX];
	size_t count;
	bool has_first;                     /* place[0] is the first target's */
	struct kd_error *missed[CHAIN_MAX]; /* why a place could not be looked at */
	size_t missed_count;
};

/** Load them. *ret is to be freed on failure, too. Errors are those of dumps_load() and kd_conf_load(). */
struct kd_error *load_all_dumps(const struct kdumpctl *ctl, struct all_dumps *ret) MUST_CHECK;
void all_dumps_free(struct all_dumps *all);
static inline void all_dumps_free_cleanup(struct all_dumps *all)
{
	all_dumps_free(all);
}

/** Find the dump that @words (an operand, or NULL for the newest) select. dump_open() opens a path. dumps_find() looks
 *  for other words below the directory of --path, as load_dumps() does; if it fails, they may be the name of a
 *  directory. *dumps (zeroed) := the dump, and its neighbours unless it was opened by a path; *ret is one of them. */
struct kd_error *choose_dump(const struct kdumpctl *ctl, const char *words, struct dumps *dumps,
			     struct dump **ret) MUST_CHECK;

#endif
