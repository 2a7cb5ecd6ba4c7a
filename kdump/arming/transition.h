/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The machine's standing, kept in /run so that the journal gets an entry whenever it changes, and only then. */
#ifndef KDUMP_ARMING_TRANSITION_H
#define KDUMP_ARMING_TRANSITION_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "base/record.h"
#include "base/sysroot.h"

#define TRANSITION_PATH KD_RUNDIR "/state"

enum standing {
	STANDING_OFF, /* the machine is not meant to be armed: kdump was never started, or it was stopped */
	STANDING_ARMED,
	STANDING_STALE,     /* armed, but the image is not up to date */
	STANDING_LACKING,   /* armed, but a target is left out */
	STANDING_NOT_ARMED, /* the machine is meant to be armed, and is not */
};

/** The last note; STANDING_OFF if there is none, or if it is not valid. */
enum standing transition_last(const struct kd_sysroot *root);

/** Why the machine, which is meant to be armed, is not, as the last note has it; NULL: it is not so. Owned by the
 *  caller. */
char *transition_failure(const struct kd_sysroot *root);

/** Note how the machine stands now, and why (@reason, a sentence). If that differs from the last note, the running
 *  machine's journal gets an entry. A failure is only a warning on @log, since nothing depends on the note. */
void transition_note(const struct kd_sysroot *root, const struct kd_log *log, enum standing standing,
		     const char *reason);

#endif
