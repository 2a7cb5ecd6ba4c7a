/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The end of the capture: what becomes of the machine. */
#ifndef CAPTURE_ACTION_H
#define CAPTURE_ACTION_H

#include "base/log.h"
#include "base/plan.h"

/** Sync, then do it. Does not return. A shell that is not in the image, or that has ended, is followed by @after. */
_Noreturn void action_perform(enum kd_action action, enum kd_action after, int watchdog, const struct kd_log *log);

/** Reboot at once, when nothing else can be relied on. Safe in a signal handler. */
_Noreturn void action_reset(void);

#endif
