/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A name of a server may have several addresses, of both families: the plan has the target once for each. */
#ifndef KDUMP_ARMING_WAYS_H
#define KDUMP_ARMING_WAYS_H

#include <stddef.h>

#include "base/error.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "kdump/network/network.h"
#include "kdump/storage/target.h"

/** Append to @plan, whose last target is @target, the same by the further addresses of target->server_name, at most
 *  three, that this machine has a way to. They share the time for the target to appear. A name that does not resolve
 *  now has no further address. */
struct kd_error *ways_add(const struct kd_sysroot *root, const struct network_source *network,
			  const struct target *target, struct kd_plan *plan) MUST_CHECK;

/** The same for these addresses. */
struct kd_error *ways_add_addresses(const struct kd_sysroot *root, const struct network_source *network,
				    const struct target *target, const struct net_address_text *addresses, size_t count,
				    struct kd_plan *plan) MUST_CHECK;

/** Append to @plan the network of the targets that ways_add() has added. Errors as of network_resolve(). */
struct kd_error *ways_resolve(const struct kd_sysroot *root, const struct network_source *network,
			      struct kd_plan *plan) MUST_CHECK;

#endif
