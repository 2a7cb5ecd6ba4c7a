/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Two processes that stand guard while process 1 works.
 *
 *  The keeper pets the hardware watchdogs of which the image has the drivers: the healthy machine may have left them
 *  running, and a capture kernel that hangs is reset by one (Linux Documentation/watchdog/watchdog-api.rst). The guard
 *  resets the machine when process 1 has shown no sign of life for minutes. Process 1 does not pet by itself, since a
 *  driver's open() or ioctl() may block for ever: those of ipmi_watchdog do when the BMC does not answer.
 */
#ifndef CAPTURE_WATCHDOG_H
#define CAPTURE_WATCHDOG_H

#include <stdbool.h>
#include <sys/types.h>

/** Seconds without a sign of life after which the keeper does not pet any more, and the guard resets the machine. */
enum { WATCHDOG_PET_SECONDS = 30, WATCHDOG_RESET_SECONDS = 180 };

/** So many watchdogs are petted: a board may have one of its own, and its BMC another. */
enum { WATCHDOG_NODES = 5 };

enum watchdog_mode {
	WATCHDOG_WATCH,  /* process 1 must show signs of life */
	WATCHDOG_ATTEND, /* a person has the machine: the hardware is petted whatever process 1 does */
	WATCHDOG_OFF,    /* the machine is to stand still: the hardware is stopped, and both processes end */
};

enum watchdog_deed { WATCHDOG_WAIT, WATCHDOG_PET, WATCHDOG_STOP, WATCHDOG_RESET };

/** What the two do after @silent seconds without a sign of life: the keeper pets or stops, the guard resets. */
enum watchdog_deed watchdog_decide(enum watchdog_mode mode, unsigned int silent);

/** Open the watchdogs in @directory (/dev) that are there and not open yet: a driver may be inserted later. Opening one
 *  starts it. @fd: -1 where none is open. */
void watchdog_open(int directory, int fd[static WATCHDOG_NODES]);

struct watchdog {
	struct watchdog_news *news; /* shared; NULL: no memory was left for it, nobody stands guard */
	pid_t keeper, guard;        /* -1: not running */
};

/** Start both processes, in WATCHDOG_WATCH. */
void watchdog_start(struct watchdog *watchdog);

/** A sign of life: once a second or so. */
void watchdog_alive(const struct watchdog *watchdog);

/** After WATCHDOG_OFF this waits for the keeper, for some seconds at most. */
void watchdog_set(const struct watchdog *watchdog, enum watchdog_mode mode);

/** Is @pid one of the two processes, which must live as long as process 1? */
bool watchdog_owns(const struct watchdog *watchdog, pid_t pid);

#endif
