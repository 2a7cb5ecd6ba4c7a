/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The kernel's persistent store: what is written there survives the reboot without any disk.
 *
 *  Programs cannot write to it on most kernels, but the kernel itself does: the end of its log, when it panics. It does
 *  so at every way down, an orderly reboot and a reset by sysrq too, if it is told to (kernel/printk/printk.c,
 *  fs/pstore/platform.c). So what is to be kept is written to the log last. */
#ifndef CAPTURE_PSTORE_H
#define CAPTURE_PSTORE_H

#include <stdbool.h>

#include "capture/capture.h"
#include "capture/watchdog.h"

/** Let the kernel write the end of its log to the store when it goes down, in whatever way, or only when it dies. Does
 *  not block. */
void pstore_keep_log(bool always);

/** Make the end of the log what is to be kept: the end of the crashed kernel's log, and the record of the capture. If
 *  there is a store, it is told to take 4 KiB of it, but nothing if it is nearly full. It asks firmware and reads the
 *  memory of the crashed kernel: children do that, within deadlines. */
void pstore_prepare(const struct capture_setup *setup, const struct watchdog *watchdog);

/** Has the store under @path (mounted) room for one more record? */
bool pstore_has_room(const char *path);

#endif
