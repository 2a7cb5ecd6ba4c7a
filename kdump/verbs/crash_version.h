/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The dumps that the installed crash(8) is known not to open. It fails only after its start, and its messages do not
 *  say that it is too old. */
#ifndef KDUMP_VERBS_CRASH_VERSION_H
#define KDUMP_VERBS_CRASH_VERSION_H

#include "base/error.h"

/** Ask the crash in PATH for its version. *ret := "crash 8.0.2 is too old for …", owned by the caller, if dumps of
 *  kernel @release are known to need a newer one; NULL if not, or if the version is unknown. KD_ERR_NOMEM. */
struct kd_error *crash_too_old(const char *release, char **ret) MUST_CHECK;

#endif
