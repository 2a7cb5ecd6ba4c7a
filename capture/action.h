/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The end of the capture: what becomes of the machine.
 *
 *  Process 1 itself calls neither sync(2) nor reboot(2). sync(2) waits for disks. reboot(2) takes the lock of every
 *  device, and a driver whose probe never ends holds one for ever. Children call both, with deadlines. After a deadline
 *  process 1 uses sysrq, which takes no locks.
 */
#ifndef CAPTURE_ACTION_H
#define CAPTURE_ACTION_H

#include <stdbool.h>

#include "base/log.h"
#include "base/plan.h"
#include "capture/watchdog.h"

/** How an action is carried out. */
struct action_way {
	int command; /* of reboot(2), in a child */
	char key;    /* of sysrq, when that has not worked; '\0': none, the machine stands still as it is */
};
/** The way of KD_ACTION_SHELL, which has none of its own, is that of KD_ACTION_REBOOT. */
struct action_way action_way(enum kd_action action);

/** Sync, then carry out @action. Does not return. When a shell has ended, or is not in the image, @after follows.
 *  @stuck: a process waits for a disk or a server, and sync(2) would do the same, although nothing is mounted there any
 *  more. Then only what is still mounted is synced. */
_Noreturn void action_perform(enum kd_action action, enum kd_action after, bool stuck, const struct watchdog *watchdog,
			      const struct kd_log *log);

/** Reset at once, when nothing else can be relied on. Safe in a signal handler of process 1. */
_Noreturn void action_reset(void);

#endif
