/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Facts about the crashed kernel: its identity, its log, and the line of the log that tells why it crashed. */
#ifndef CAPTURE_CRASH_H
#define CAPTURE_CRASH_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "dumpfilter/dumpfilter.h"

#define CRASH_VMCORE "/proc/vmcore"
#define CRASH_LOG    "/vmcore-dmesg.txt" /* in memory, until a target is connected */

/** All sizes are fixed, because a child process hands it over through shared memory. */
struct crash_facts {
	struct dumpfilter_identity identity;
	char panic[256];   /* "" when the log does not say */
	uint64_t log_size; /* bytes in CRASH_LOG */
};

/** Fill @ret and CRASH_LOG from CRASH_VMCORE. On error, @ret holds the facts found so far. Run it in a child: it parses
 *  the memory of a crashed kernel, which may be damaged. */
struct kd_error *crash_examine(const struct kd_log *log, struct crash_facts *ret) MUST_CHECK;

/** The message of @log (NUL-terminated) that tells why the kernel crashed, without its time stamp: the message to which
 *  kd_klog_weigh() gives the most weight. Of equal ones it is the last, because the kernel survived the earlier ones.
 *  "" if there is no such message. Newlines in @log are replaced by NULs. */
void crash_panic_message(char *log, char *buf, size_t size);

#endif
