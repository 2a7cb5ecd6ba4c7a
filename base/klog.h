/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Lines of a kernel's log: the message in a line, and whether it reports a crash.
 *
 *  The log is hostile: the crashed kernel, and whoever could write to /dev/kmsg, chose every byte of it. Words that a
 *  program could log as well count only at the start of a message, where a program's message has its name.
 *  The messages come from the kernel's kernel/panic.c, kernel/watchdog.c, kernel/rcu/tree_stall.h, mm/oom_kill.c,
 *  arch/x86/mm/fault.c, arch/x86/kernel/traps.c and arch/arm64/mm/fault.c; their form has been stable since 4.18.
 */
#ifndef BASE_KLOG_H
#define BASE_KLOG_H

#include <stddef.h>

#define KD_KLOG_PANIC_WORDS "Kernel panic - not syncing"

/** The message in @line: the text behind "[   12.345678] " and "[T123] ". *time_ret (@time_ret may be NULL) := the time
 *  stamp in seconds, -1 without one. */
const char *kd_klog_message(const char *line, double *time_ret);

/** Where the last @count lines of @text begin. */
const char *kd_klog_tail(const char *text, size_t count);

/** Cut @text at its newlines. Returns its lines, which are parts of @text; the list is owned by the caller. NULL: no
 *  memory. */
char **kd_klog_cut(char *text, size_t *count_ret);

/** How much a message tells about a crash, in rising order. */
enum kd_klog_weight {
	KD_KLOG_PLAIN,
	KD_KLOG_TROUBLE, /* a kernel survives it unless it was told to panic: a stall, a hung task, no memory */
	KD_KLOG_OOPS,    /* the line that follows a fault */
	KD_KLOG_FAULT,   /* the kernel itself went wrong */
	KD_KLOG_PANIC,
};

/** Weigh @message. *kind_ret (@kind_ret may be NULL) := the kind of crash, "null-dereference" (a static string); NULL:
 *  the words do not tell, as in a panic with words of its own. */
enum kd_klog_weight kd_klog_weigh(const char *message, const char **kind_ret);

#endif
