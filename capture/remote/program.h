/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A server that is reached by a program of the image, which speaks SFTP on its standard input and output. */
#ifndef CAPTURE_REMOTE_PROGRAM_H
#define CAPTURE_REMOTE_PROGRAM_H

#include <stdint.h>

#include "base/error.h"

/** Run @argv, again each second while it fails, and mount at @mount_point what it serves. A process that stays serves
 *  the file system, until it is unmounted or the server is lost. Nothing waits longer than until @deadline
 *  (clock_ms()), nor, later, longer than the server's patience.
 *  KD_ERR_TIMEOUT, KD_ERR_STATE (the program has ended; what it said is in the kernel's log), KD_ERR_OS. */
struct kd_error *program_mount(const char *const *argv, const char *mount_point, int64_t deadline) MUST_CHECK;

#endif
