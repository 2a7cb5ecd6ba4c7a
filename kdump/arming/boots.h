/* SPDX-License-Identifier: GPL-2.0-or-later */
/** How the machine's boots went: when it was armed, and whether it was shut down. After a crash of which nothing else
 *  is left, this still tells that there was one. The record outlives the boot. */
#ifndef KDUMP_ARMING_BOOTS_H
#define KDUMP_ARMING_BOOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/proc.h"
#include "base/sysroot.h"

#define BOOTS_PATH KD_STATEDIR "/boots"

/** Times are seconds since the epoch; 0: unknown, or it did not happen. */
struct boot {
	char id[KD_BOOT_ID_SIZE]; /* KD_BOOT_ID_PATH; "": nothing is known of it */
	int64_t since;            /* when it began */
	int64_t armed;            /* since when a crash would have left a dump; 0: at its end it would not */
	int64_t shutdown;         /* when an orderly shutdown began */
	int64_t sign;             /* the last sign of life: the newest of the system's logs; only of an earlier boot */
};

struct boots {
	struct boot now, before;
};

/** Read the record, as of this boot: what was the running one when it was written may be the one before by now. No
 *  record: both are unknown, but @ret->now has its ID. KD_ERR_OS, KD_ERR_STATE. */
struct kd_error *boots_read(const struct kd_sysroot *root, struct boots *ret) MUST_CHECK;

/** Note that this boot is armed from now on, or is not any more. */
struct kd_error *boots_note_armed(const struct kd_sysroot *root, bool armed) MUST_CHECK;

/** Note that this boot has begun to shut down. */
struct kd_error *boots_note_shutdown(const struct kd_sysroot *root) MUST_CHECK;

/** Note this boot, if nobody has done so; with it, the last sign of life of the one before. */
struct kd_error *boots_note(const struct kd_sysroot *root) MUST_CHECK;

#endif
