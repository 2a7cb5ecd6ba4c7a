/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The facts about a crash in the kernel's log: the text of vmcore-dmesg.txt, read without symbols.
 *
 *  The log is hostile: the crashed kernel, and whoever could write to /dev/kmsg, chose every byte of it. Nothing here
 *  trusts a length or a format. A fact that cannot be found is NULL, -1 or 0.
 *  The lines come from the kernel's kernel/panic.c, arch/x86/kernel/dumpstack.c, arch/arm64/kernel/process.c,
 *  kernel/watchdog.c and lib/dump_stack.c; their form has been stable since 4.18.
 */
#ifndef KDUMP_DUMPS_CRASH_LOG_H
#define KDUMP_DUMPS_CRASH_LOG_H

#include <stddef.h>

#include "base/error.h"

#define CRASH_FRAMES_MAX    48
#define CRASH_MODULES_MAX   512
#define CRASH_SIGNATURE_MAX 9 /* 8 hex digits and the NUL */

struct crash_frame {
	char *text;   /* "vfs_write+0xc7/0x3f0 [ext4]" */
	char *symbol; /* "vfs_write": without offset, size, module and compiler suffixes */
};

struct crash_log {
	const char *kind; /* as kd_klog_weigh() names it ("null-dereference"), "panic" or "unknown" */
	char *reason;     /* the line that gives the reason, without its time stamp; NULL: the log has none */
	char *task;       /* task that was running on the crashed CPU */
	long pid, cpu;    /* of the task; -1: unknown */
	char *taint;      /* letters, "OE"; NULL: not tainted, or unknown */
	char *hardware;   /* "QEMU Standard PC (i440FX + PIIX, 1996), BIOS …" */
	char *rip;        /* location of the fault, "symbol+0x…/0x… [module]"; NULL for a plain panic() */
	double uptime;    /* seconds, from the line in @reason; 0: unknown */
	struct crash_frame frame[CRASH_FRAMES_MAX]; /* innermost first, without the unwinder's guesses */
	size_t frames;
	char *module[CRASH_MODULES_MAX]; /* as in "Modules linked in": "ext4(E)" */
	size_t modules;
	char signature[CRASH_SIGNATURE_MAX]; /* equal for equal crashes: hash of the kind and the specific frames */
	size_t line;                         /* number, from 0, of the line where the crash begins */
};

/** Parse @text (NUL-terminated). A log without a crash gives kind "unknown". KD_ERR_NOMEM. */
struct kd_error *crash_log_parse(const char *text, struct crash_log *ret) MUST_CHECK;

/** The meaning of a taint letter (Documentation/admin-guide/tainted-kernels.rst); NULL: unknown letter. */
const char *crash_log_taint(char letter);

/** A zeroed struct is allowed. */
void crash_log_free(struct crash_log *log);
static inline void crash_log_free_cleanup(struct crash_log *log)
{
	crash_log_free(log);
}

#endif
