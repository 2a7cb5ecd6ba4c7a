/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A server may have several addresses: the same target by another one of them. */
#ifndef KDUMP_STORAGE_WAY_H
#define KDUMP_STORAGE_WAY_H

#include "base/error.h"
#include "kdump/storage/target.h"

/** What the plan says of @target, which is on a server, if that is reached by @address. *device and *options are owned
 *  by the caller. KD_ERR_UNSUPPORTED: targets of this type have one address. */
struct kd_error *target_by_address(const struct target *target, const char *address, char **device,
				   char **options) MUST_CHECK;

#endif
