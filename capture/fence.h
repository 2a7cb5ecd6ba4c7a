/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Tell the nodes of a cluster that this machine is making a dump, so that they do not fence it meanwhile: the messages
 *  of fence_kdump_send(8), for which fence_kdump(8) listens on each node (fence-agents, agents/kdump). */
#ifndef CAPTURE_FENCE_H
#define CAPTURE_FENCE_H

#include "base/log.h"
#include "base/plan.h"

struct fence {
	const struct kd_plan *plan;
	const struct kd_log *log;
};

/** Send to all nodes of @arg, a struct fence, until each has had as many messages as the plan says, which may be for
 *  ever: to be run in a process of its own from the beginning on. The network to a node is set up as soon as its
 *  modules and devices are there; a node that cannot be reached keeps no other one waiting. */
void fence_tell(void *arg);

#endif
