/* SPDX-License-Identifier: GPL-2.0-or-later */
/** How the machine stands, remembered in /run so that the journal gets an entry when that changes, and only then. */
#ifndef KDUMP_ARMING_TRANSITION_H
#define KDUMP_ARMING_TRANSITION_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"

#define TRANSITION_PATH "/run/kdump/state"

enum standing {
	STANDING_OFF, /* nobody wants it armed: never started, or stopped */
	STANDING_ARMED,
	STANDING_STALE,     /* armed, with something that has changed since */
	STANDING_NOT_ARMED, /* it should be, and is not */
};

/** What was noted last; STANDING_OFF if nothing was, or nothing that makes sense. */
enum standing transition_last(const struct kd_sysroot *root);

/** Note how it stands now, and why (@reason, a sentence). If standing or reason differ from what was noted last, the
 *  running machine's journal gets an entry. What goes wrong is warned of on @log: nothing depends on it. */
void transition_note(const struct kd_sysroot *root, const struct kd_log *log, enum standing standing,
		     const char *reason);

#endif
