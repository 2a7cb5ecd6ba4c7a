/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Can a hook be run in the capture kernel? The answer that execve(2) would give there is found here, while somebody
 *  can still mend the hook. */
#ifndef KDUMP_ARMING_HOOK_FILE_H
#define KDUMP_ARMING_HOOK_FILE_H

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/arming/hook_commands.h"

enum hook_kind {
	HOOK_PROGRAM, /* ELF, for this machine */
	HOOK_SCRIPT,  /* begins with a "#!" line whose interpreter exists */
	HOOK_TEXT,    /* text without such a line: /bin/sh runs it, as an interactive shell would */
};

/** Tell the kind of @path, an executable file below @root.
 *  KD_ERR_CONFIG: the kernel could not run it (empty; Windows line ends; a byte order mark before "#!"; no interpreter
 *  named, or it does not exist; an ELF file of another architecture; binary data): the text names the file, the reason
 *  and the command that mends it. KD_ERR_OS. */
struct kd_error *hook_file_check(const struct kd_sysroot *root, const char *path, enum hook_kind *ret) MUST_CHECK;

/** The commands that the script @path names, see hook_commands_find(); none if no shell runs it. KD_ERR_OS. */
struct kd_error *hook_file_commands(const struct kd_sysroot *root, const char *path,
				    struct hook_commands *ret) MUST_CHECK;

#endif
