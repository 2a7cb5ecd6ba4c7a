/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A server that is reached by the machine's own ssh(1), which the image then has. */
#ifndef CAPTURE_REMOTE_SSH_H
#define CAPTURE_REMOTE_SSH_H

#include <stdint.h>

#include "base/error.h"

/** Connect to @destination ("USER@ADDRESS") with the -o @options ("Port=22,HostKeyAlias=…") of ssh(1), and mount the
 *  server's file system at @mount_point, until @deadline (clock_ms()) at most. More, and errors: program.h. */
struct kd_error *ssh_mount(const char *destination, const char *options, const char *mount_point,
			   int64_t deadline) MUST_CHECK;

#endif
