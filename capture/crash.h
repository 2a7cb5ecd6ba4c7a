/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What the crashed kernel has to say: who it was, its log, and the line of the log that tells why it died. */
#ifndef CAPTURE_CRASH_H
#define CAPTURE_CRASH_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "dumpfilter/dumpfilter.h"

#define CRASH_VMCORE "/proc/vmcore"
#define CRASH_LOG    "/vmcore-dmesg.txt" /* in memory, until a target is there */

/** Fixed sizes: it comes from a child process, through shared memory. */
struct crash_facts {
	struct dumpfilter_identity identity;
	char panic[256];   /* "" when the log does not say */
	uint64_t log_size; /* bytes in CRASH_LOG */
};

/** Fill @ret and CRASH_LOG from CRASH_VMCORE. What can be found out is filled in on error too. Parses memory of a
 * kernel that died of who knows what: run it in a child. */
struct kd_error *crash_examine(const struct kd_log *log, struct crash_facts *ret) MUST_CHECK;

/** The message of @log (NUL-terminated) that tells why the kernel died, without its time stamp: the one that
 *  kd_klog_weigh() finds heaviest, and of equals the last, since the kernel survived those before. "" if there is none.
 *  @log is cut at its newlines. */
void crash_panic_message(char *log, char *buf, size_t size);

#endif
