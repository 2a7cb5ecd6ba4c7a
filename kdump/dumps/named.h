/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The one dump that a verb looks at: of this machine, or a file or a directory from anywhere, whatever its name. */
#ifndef KDUMP_DUMPS_NAMED_H
#define KDUMP_DUMPS_NAMED_H

#include "kdump/dumps/dumps.h"

/** Does @words (an operand, or NULL) name a file? */
bool dump_is_named_file(const char *words);

/** The dump that @words mean: with a slash, or if there is a file of that name, a path to a dump file or to a directory
 * that holds one; otherwise one of those below @path, as for dumps_load() and dumps_find(), and at last a directory of
 * that name. *dumps (zeroed) := it, and those beside it when it was not found by a path; *ret is one of them. A file
 * that is no dump is DUMP_DAMAGED. KD_ERR_OS; KD_ERR_NOT_FOUND, with the operand in the text; KD_ERR_STATE (several
 *  dumps in one directory); what dumps_load() says. */
struct kd_error *dumps_choose(const struct kdumpctl *ctl, const char *path, const char *words, struct dumps *dumps,
			      struct dump **ret) MUST_CHECK;

/** The whole log, owned by the caller: the file beside the dump, else out of the dump's memory. KD_ERR_NOT_FOUND if
 * there is none; KD_ERR_FORMAT (no dump); what dumpfilter_dmesg() says. */
struct kd_error *dump_read_log(const struct dump *dump, char **ret) MUST_CHECK;

/** Fill what is not known of @dump yet, from the dump itself: release, build-id, host, time, the story of its log.
 *  *format := a line about its format ("kdump, lzo, level 31"), owned by the caller; untouched if it says nothing.
 *  An error is only returned if the dump was named by a path and there is nothing else to tell: it cannot be opened. */
struct kd_error *dump_look_inside(struct dump *dump, char **format) MUST_CHECK;

#endif
