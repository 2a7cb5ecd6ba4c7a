/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A device-mapper volume as libdevmapper makes it, udev told. */
#ifndef KDUMP_UNLOCK_MAPPING_H
#define KDUMP_UNLOCK_MAPPING_H

#include "base/error.h"
#include "kdump/unlock/key.h"

/** Make the mapping @name of @key on device @device ("8:3"), and wait until udev has seen it. @scratch is a directory
 *  where a device node may be made. No copy of the key stays in this process's memory, but for @key's own. KD_ERR_OS;
 *  errnum is EBUSY if there is such a mapping. */
struct kd_error *mapping_make(const struct unlock_key *key, const char *name, const char *device,
			      const char *scratch) MUST_CHECK;

#endif
