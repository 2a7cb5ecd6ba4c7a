/* SPDX-License-Identifier: GPL-2.0-or-later */
/** fence_kdump_nodes: the nodes of a cluster that the capture tells of the dump, with the way to each, in the plan. */
#ifndef KDUMP_ARMING_FENCE_H
#define KDUMP_ARMING_FENCE_H

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "kdump/config/conf.h"
#include "kdump/network/network.h"

/** Append to @plan the nodes that @conf names, and what the way to each is made of. A node that has no address, or no
 *  way that capture can set up, is warned of and left out: the dump is worth more. @log may be NULL.
 *  KD_ERR_CONFIG: a node is this machine itself. */
struct kd_error *fence_resolve(const struct kd_sysroot *root, const struct kd_log *log,
			       const struct network_source *network, const struct kd_conf *conf,
			       struct kd_plan *plan) MUST_CHECK;

#endif
