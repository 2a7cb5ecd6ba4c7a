/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The network of the healthy machine, as far as a target needs it: links found by their hardware addresses, and the
 *  addresses and routes that the plan has. Names of servers were resolved, and leases taken, while the machine was
 *  healthy. */
#ifndef CAPTURE_NETWORK_H
#define CAPTURE_NETWORK_H

#include <stdint.h>

#include "base/error.h"
#include "base/plan.h"

/** Set up the plan's network and wait for the links that have addresses to get a carrier. What is there already is left
 *  as it is, so each target may call it. It may wait until @deadline (clock_ms()): run it in a child.
 *  KD_ERR_TIMEOUT (a device does not appear, no carrier), KD_ERR_OS (the kernel refuses it), KD_ERR_FORMAT (a line of
 *  the plan). */
struct kd_error *network_up(const struct kd_plan *plan, int64_t deadline) MUST_CHECK;

#endif
