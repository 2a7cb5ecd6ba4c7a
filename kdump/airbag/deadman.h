/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The process that takes the machine back to the old kernel unless somebody says in time that the new one is good.
 *
 *  It holds what it needs open: the initramfs that it came from is deleted, and the root file system changes below it.
 *  Its name begins with "@", so that systemd does not end it when it changes to the real root
 *  (https://systemd.io/ROOT_STORAGE_DAEMONS). It ignores signals, and obeys root's requests on its socket
 *  (airbag.h). */
#ifndef KDUMP_AIRBAG_DEADMAN_H
#define KDUMP_AIRBAG_DEADMAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

struct deadman_module {
	void *data;
	size_t size;
	const char *name, *options;
};

struct deadman {
	const struct kd_log *log; /* to the kernel's log */
	int64_t deadline;         /* milliseconds of CLOCK_BOOTTIME */
	bool armed;               /* a panic starts the old kernel; else it resets the machine */
	int sysrq;                /* /proc/sysrq-trigger; -1: this kernel has none */
	int sys;                  /* /sys */
	const struct deadman_module *module;
	size_t module_count;
};

/** Milliseconds of CLOCK_BOOTTIME. */
int64_t deadman_now(void);

/** Fork the deadman. It inserts the drivers of watchdogs itself, since that may take long. @name is its argv[0], whose
 *  first character becomes "@". False: there is none, errno says why. */
bool deadman_start(const struct deadman *deadman, char *name);

/** The loop of the deadman, which ends when the trial is committed. Separate for tests. @listener: its socket. */
void deadman_run(const struct deadman *deadman, int listener);

/** Bind the socket. -1 and errno. */
int deadman_listen(const char *name);

#endif
