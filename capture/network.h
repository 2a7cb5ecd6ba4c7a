/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The network of the healthy machine, as far as a target needs it: links found by their hardware addresses, and the
 *  addresses and routes that the plan has. Names of servers were resolved, and leases taken, while the machine was
 *  healthy. */
#ifndef CAPTURE_NETWORK_H
#define CAPTURE_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/plan.h"

/** Which lines of plan->network lead to @server, an address as the plan writes it (NULL: none): the route to it, the
 *  address that packets for it come from, the links that these stand on, and their RDMA devices. One entry
 *  for each line, owned by the caller; NULL: no memory. */
bool *network_below(const struct kd_plan *plan, const char *server);

/** Set up what leads to @server, and wait for the links that have addresses to get a carrier. Links of other servers
 *  are left alone, so one that is dead costs only its own server. What is there already is left as it is: targets and
 *  processes that share links may call it one after another or at the same time. It may wait until @deadline
 *  (clock_ms()): run it in a child.
 *  KD_ERR_TIMEOUT (a device does not appear, no carrier), KD_ERR_OS (the kernel refuses it), KD_ERR_FORMAT (a line of
 *  the plan). */
struct kd_error *network_up(const struct kd_plan *plan, const char *server, int64_t deadline) MUST_CHECK;

/** The same, with the RDMA devices. network_up() leaves them out: one that cannot be made concerns no other server. */
struct kd_error *network_up_rdma(const struct kd_plan *plan, const char *server, int64_t deadline) MUST_CHECK;

#endif
