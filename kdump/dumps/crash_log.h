/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What the kernel's log says about a crash: the text of vmcore-dmesg.txt, read without symbols.
 *
 *  The log is hostile: the crashed kernel, and whoever could write to /dev/kmsg, chose every byte of it. Nothing here
 *  trusts a length or a format; what cannot be found is NULL, -1 or 0.
 *  The lines come from the kernel's kernel/panic.c, arch/x86/kernel/dumpstack.c, arch/arm64/kernel/process.c,
 *  kernel/watchdog.c and lib/dump_stack.c; they have looked alike since 4.18.
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
	char *symbol; /* "vfs_write": without offset, size, module, and suffixes of the compiler */
};

struct crash_log {
	const char *kind; /* as kd_klog_weigh() names it, "null-dereference"; "panic"; "unknown" */
	char *reason;     /* the line that says why, without its time stamp; NULL: the log does not say */
	char *task;       /* that was running on the CPU that died */
	long pid, cpu;    /* of it; -1: not known */
	char *taint;      /* letters, "GOE"; NULL: not tainted, or not known */
	char *hardware;   /* "QEMU Standard PC (i440FX + PIIX, 1996), BIOS …" */
	char *rip;        /* where the kernel was, "symbol+0x…/0x… [module]"; NULL for a plain panic() */
	double uptime;    /* seconds, of the line in @reason; 0: not known */
	struct crash_frame frame[CRASH_FRAMES_MAX]; /* innermost first, guesses of the unwinder left out */
	size_t frames;
	char *module[CRASH_MODULES_MAX]; /* as "Modules linked in" has them: "ext4(E)" */
	size_t modules;
	char signature[CRASH_SIGNATURE_MAX]; /* equal for equal crashes: the kind and the frames that tell it apart */
	size_t line;                         /* of the text, from 0: where the story of the crash begins */
};

/** Read @text (NUL-terminated). A log without a crash in it gives kind "unknown". KD_ERR_NOMEM. */
struct kd_error *crash_log_parse(const char *text, struct crash_log *ret) MUST_CHECK;

/** What a letter of the taint means (Documentation/admin-guide/tainted-kernels.rst); NULL: not known. */
const char *crash_log_taint(char letter);

/** A zeroed struct is allowed. */
void crash_log_free(struct crash_log *log);
static inline void crash_log_free_cleanup(struct crash_log *log)
{
	crash_log_free(log);
}

#endif
