/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A dump that is opened by its path: a file or a directory from any machine, whatever its name. */
#ifndef KDUMP_DUMPS_NAMED_H
#define KDUMP_DUMPS_NAMED_H

#include "dumpfilter/vmcore/vmcore.h"
#include "kdump/dumps/dumps.h"

/** Does @words (an operand, or NULL) name a file? */
bool dump_is_named_file(const char *words);
/** Does @words name a directory? */
bool dump_is_directory(const char *words);
/** Is @words a path: does it have a slash, or is there a file of that name? */
bool dump_is_path(const char *words);

/** Open the dump at @path: a dump file, or a directory that contains one. *dumps := this dump alone, *ret := the same
 *  dump. A file that is not a dump is DUMP_DAMAGED. KD_ERR_OS; KD_ERR_NOT_FOUND, with @path in the text; KD_ERR_STATE
 *  (several dumps in one directory). */
struct kd_error *dump_open(const char *path, struct dumps *dumps, struct dump **ret) MUST_CHECK;

/** Read the whole log from the file beside the dump, or else from the dump. *ret is owned by the caller.
 *  KD_ERR_NOT_FOUND (there is no log); KD_ERR_FORMAT (not a dump); errors of dumpfilter_dmesg(). */
struct kd_error *dump_read_log(const struct dump *dump, char **ret) MUST_CHECK;

/** Fill the unknown fields of @dump from the dump file: release, build-id, host, time, log. *origin (zeroed) := its
 *  format, without the pointers that only an open file has (utsname, eraseinfo); untouched if the file cannot be read.
 *  An error is returned only if the dump was opened by its path and there is neither a log nor a report. */
struct kd_error *dump_look_inside(struct dump *dump, struct vmcore_origin *origin) MUST_CHECK;

#endif
