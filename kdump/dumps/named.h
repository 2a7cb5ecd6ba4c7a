/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The one dump that a verb looks at: of this machine, or a file or a directory from anywhere, whatever its name. */
#ifndef KDUMP_DUMPS_NAMED_H
#define KDUMP_DUMPS_NAMED_H

#include "dumpfilter/vmcore/vmcore.h"
#include "kdump/dumps/dumps.h"

/** Does @words (an operand, or NULL) name a file? */
bool dump_is_named_file(const char *words);
/** Does it name a directory? */
bool dump_is_directory(const char *words);
/** Must it be a path: has it a slash, or is there a file of that name? */
bool dump_is_path(const char *words);

/** The dump at @path: a dump file, or a directory that holds one. *dumps := it alone, *ret := the same. A file that is
 *  no dump is DUMP_DAMAGED. KD_ERR_OS; KD_ERR_NOT_FOUND, with @path in the text; KD_ERR_STATE (several dumps in one
 *  directory). */
struct kd_error *dump_open(const char *path, struct dumps *dumps, struct dump **ret) MUST_CHECK;

/** The whole log, owned by the caller: the file beside the dump, else out of the dump's memory. KD_ERR_NOT_FOUND if
 * there is none; KD_ERR_FORMAT (no dump); what dumpfilter_dmesg() says. */
struct kd_error *dump_read_log(const struct dump *dump, char **ret) MUST_CHECK;

/** Fill what is not known of @dump yet, from the dump itself: release, build-id, host, time, the story of its log.
 *  *origin (zeroed) := its format, without what would have to be borrowed from the file (utsname, eraseinfo);
 *  untouched if it does not tell.
 *  An error is only returned if the dump was named by a path and there is nothing else to tell: it cannot be opened. */
struct kd_error *dump_look_inside(struct dump *dump, struct vmcore_origin *origin) MUST_CHECK;

#endif
