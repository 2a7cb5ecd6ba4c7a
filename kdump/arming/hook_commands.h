/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Which commands does a shell script name? A hook runs in the capture kernel, whose image has only what was put there.
 */
#ifndef KDUMP_ARMING_HOOK_COMMANDS_H
#define KDUMP_ARMING_HOOK_COMMANDS_H

#include <stddef.h>

#include "base/error.h"

struct hook_commands {
	char **word; /* each once, in the order in which the script names them */
	size_t count;
};

/** Find the words of @text, a shell script, that stand where a command does, and files that it reads with ".": names,
 *  and absolute paths. Left out: what the shell itself or the script defines, and what is known only when the script
 *  runs ("$PROGRAM", eval, arguments of other commands). */
struct kd_error *hook_commands_find(const char *text, struct hook_commands *ret) MUST_CHECK;

/** A zeroed struct is allowed. */
void hook_commands_free(struct hook_commands *commands);
static inline void hook_commands_free_cleanup(struct hook_commands *commands)
{
	hook_commands_free(commands);
}

#endif
