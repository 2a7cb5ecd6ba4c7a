/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The machine as process 1 sees it. At the start nothing is mounted and nothing is open. */
#ifndef CAPTURE_MACHINE_H
#define CAPTURE_MACHINE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/** Mount /proc, /sys and /dev, open the console as descriptors 0 to 2, and let messages of level notice reach it. */
void machine_setup(void);

/** The kernel's log as a stream for messages: they reach every console and kexec-dmesg.log. Each line is one record and
 *  must begin with *prefix. Without /dev/kmsg the stream is standard error. */
FILE *machine_log(const char **prefix);

/** Give those room who write beside a disk that is stuck: what was written for it stays in memory, and counts against
 *  everybody, so that another disk would get a few pages per second (vm.dirty_ratio,
 *  Documentation/admin-guide/sysctl/vm.rst). */
void machine_make_room(void);

/** A line for the kernel's log, without memory of one's own. Safe in a signal handler. */
void machine_say(const char *text);

/** Press a key of sysrq: 'b' resets the machine at once and takes no locks. Returns when that does not work, or the key
 *  does its work in the background. Safe in a signal handler. */
void machine_emergency(char key);

/** SIGKILL for every process but this one and those that @spare names. */
void machine_kill_others(bool (*spare)(const void *arg, pid_t pid), const void *arg);

/** The console for progress: a descriptor that does not block. -1: none. */
int machine_console(void);

#endif
