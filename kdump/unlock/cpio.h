/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What is in an initramfs: cpio archives of the "newc" form, one behind the other, as the kernel takes them (Linux
 *  Documentation/driver-api/early-userspace/buffer-format.rst). */
#ifndef KDUMP_UNLOCK_CPIO_H
#define KDUMP_UNLOCK_CPIO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/** A member. @name has no leading "./" or "/"; it and @data are borrowed from the archive. */
typedef void cpio_member(void *arg, const char *name, mode_t mode, const void *data, size_t size);

/** Call @member for each member of @data, @what in messages. An archive that is compressed is expanded, to at most @max
 *  bytes, and what follows it is not looked at. KD_ERR_FORMAT, KD_ERR_LIMIT. */
struct kd_error *cpio_walk(const void *data, size_t size, size_t max, const char *what, cpio_member *member,
			   void *arg) MUST_CHECK;

#endif
