/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A hardware watchdog, when the image has its driver: the healthy machine may have left it running, and a capture
 *  kernel that hangs is reset by it. Linux Documentation/watchdog/watchdog-api.rst. */
#ifndef CAPTURE_WATCHDOG_H
#define CAPTURE_WATCHDOG_H

/** Open it, which starts it, if *fd is -1 and there is one; else tell it that all is well. */
void watchdog_pet(int *fd);

/** Stop it, for a machine that is to stand still. */
void watchdog_stop(int fd);

#endif
