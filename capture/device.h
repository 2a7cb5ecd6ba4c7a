/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Block devices of the capture kernel by the names of base/device_name.h. */
#ifndef CAPTURE_DEVICE_H
#define CAPTURE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/device_name.h"
#include "base/error.h"

/** Hand every block device that has @tag to @take, those present first, then those that appear, until @take returns
 *  true or @deadline (clock_ms()) has passed: KD_ERR_TIMEOUT. @node is its path in /dev. */
struct kd_error *device_wait(const char *tag, int64_t deadline, bool (*take)(void *arg, const char *node),
			     void *arg) MUST_CHECK;

#endif
