/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The block device that the plan means (base/device_spec.h), as soon as it is there: that one or none. */
#ifndef CAPTURE_DEVICE_H
#define CAPTURE_DEVICE_H

#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "capture/disks.h"

enum { DEVICE_NODE_MAX = 300 };

enum device_use {
	DEVICE_MOUNT,    /* nothing may stand on it */
	DEVICE_BUILD_ON, /* part of a volume: others of its volumes may stand on it already */
};

/** Wait until a device is what @text says, and until @deadline (clock_ms()) at most; @log says so if it is not there at
 *  once. Devices on the disks @avoid (NULL: none) are not looked at. @node := its path in /dev, below @root.
 *  Of the paths to one disk (KD_DEVICE_PATHS) it is the best one that works; where the controllers tell, a passive path
 *  is none.
 *  KD_ERR_FORMAT (@text says nothing); KD_ERR_TIMEOUT; KD_ERR_STATE: several are, so which is meant cannot be told. */
struct kd_error *device_wait(const struct kd_sysroot *root, const char *text, enum device_use use,
			     const struct disks *avoid, int64_t deadline, const struct kd_log *log,
			     char node[static DEVICE_NODE_MAX]) MUST_CHECK;

#endif
