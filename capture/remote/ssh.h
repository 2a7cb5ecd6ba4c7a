/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A server that is reached by the machine's own ssh(1), which the image then has. */
#ifndef CAPTURE_REMOTE_SSH_H
#define CAPTURE_REMOTE_SSH_H

#include <stdint.h>

#include "base/error.h"

/** Connect to @destination ("USER@ADDRESS") with the -o @options ("Port=22,HostKeyAlias=…") of ssh(1), and mount the
 *  server's file system at @mount_point. A process that stays serves it, until it is unmounted or the server is lost.
 *  Nothing waits longer than until @deadline (clock_ms()), nor, later, longer than the server's patience.
 *  KD_ERR_TIMEOUT, KD_ERR_STATE (ssh has ended; what it said is in the kernel's log), KD_ERR_OS. */
struct kd_error *ssh_mount(const char *destination, const char *options, const char *mount_point,
			   int64_t deadline) MUST_CHECK;

#endif
