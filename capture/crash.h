/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Facts about the crashed kernel: its identity, its log, and the line of the log that tells why it crashed. */
#ifndef CAPTURE_CRASH_H
#define CAPTURE_CRASH_H

#include <stddef.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "dumpfilter/dumpfilter.h"

#define CRASH_VMCORE "/proc/vmcore"
#define CRASH_LOG    "/vmcore-dmesg.txt" /* in memory, until it is saved on a target */
/* Bytes of it, and a line or two. A ring may have 2 GiB, and each byte may take 16 when it is written. */
#define CRASH_LOG_MAX KD_MIB(8)

/** All sizes are fixed, because a child process hands it over through shared memory. */
struct crash_facts {
	struct dumpfilter_identity identity;
	char panic[256];   /* "" when the log does not say */
	uint64_t log_size; /* bytes in CRASH_LOG */
};

/** Fill @ret and CRASH_LOG from CRASH_VMCORE. On error, @ret holds the facts found so far. Run it in a child: it parses
 *  the memory of a crashed kernel, which may be damaged. */
struct kd_error *crash_examine(const struct kd_log *log, struct crash_facts *ret) MUST_CHECK;

/** Write the log of @vmcore to the file @out: of one with more than @max bytes, the first quarter of that and the
 *  newest three quarters, in whole lines, with a line between them that says so. */
struct kd_error *crash_write_log(const char *vmcore, FILE *out, uint64_t max, const struct kd_log *log) MUST_CHECK;

/** Fill CRASH_LOG, if it was removed to save memory. In a child, as above. */
struct kd_error *crash_save_log(const struct kd_log *log) MUST_CHECK;

/** The message of @log that tells why the kernel crashed, without its time stamp: the message to which kd_klog_weigh()
 *  gives the most weight. Of equal ones it is the last, because the kernel survived the earlier ones. "" if there is no
 *  such message. */
void crash_panic_message(FILE *log, char *buf, size_t size);

#endif
