/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Hardware watchdogs, while a trial lasts (Linux Documentation/watchdog/watchdog-api.rst).
 *
 *  A watchdog resets the machine when nobody pets it: that covers a kernel that hangs with interrupts off. The core
 *  pets one that was running before its driver came, and a driver may also stop it when it is loaded; so whoever wants
 *  the hardware to guard the trial opens it. One that could not be stopped any more ("nowayout") is left alone, since
 *  the machine would be reset after the trial. */
#ifndef KDUMP_AIRBAG_HARDWARE_H
#define KDUMP_AIRBAG_HARDWARE_H

#include <stddef.h>

enum { HARDWARE_MAX = 4, HARDWARE_SECONDS = 30 };

struct hardware {
	int sys; /* /sys, borrowed */
	struct hardware_watchdog {
		char name[16]; /* "watchdog0" */
		int fd;
	} watchdog[HARDWARE_MAX];
	size_t count;
};

/** Open every watchdog that is there, may be stopped again, and is not open yet, with a timeout of HARDWARE_SECONDS
 *  where its driver can set one. Opening starts it. Whoever else has one keeps it. Drivers may come later: call it
 *  again. */
void hardware_take(struct hardware *hardware);

/** Once a second or so. */
void hardware_pet(const struct hardware *hardware);

/** Stop and close all of them. */
void hardware_release(struct hardware *hardware);

#endif
