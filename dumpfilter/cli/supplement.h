/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Files that the operator adds to a vmcore: its vmlinux (-x), a VMCOREINFO file (-i), and a file that names the data
 *  to be erased (--config). Only the program uses them, not capture. */
#ifndef DUMPFILTER_CLI_SUPPLEMENT_H
#define DUMPFILTER_CLI_SUPPLEMENT_H

#include "base/error.h"
#include "dumpfilter/dumpfilter.h"

struct supplement;

/** Read the files that @command (borrowed) names, and make its options use them. NULL in *ret if it names none.
 *  KD_ERR_OS, KD_ERR_CONFIG. */
struct kd_error *supplement_open(struct dumpfilter_command *command, const struct kd_log *log,
				 struct supplement **ret) MUST_CHECK;
/** -g: write VMCOREINFO of @command's vmlinux to the file that it names. KD_ERR_USAGE: no vmlinux. */
struct kd_error *supplement_generate(const struct dumpfilter_command *command, const struct kd_log *log) MUST_CHECK;
void supplement_close(struct supplement *supplement); /* NULL is allowed */
DEFINE_CLEANUP(struct supplement *, supplement_close)

#endif
