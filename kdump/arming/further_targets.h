/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The targets that are tried when the first one has failed: further ones of kdump.conf, and at last, with
 *  failure_action dump_to_rootfs, the file system that has the path on this machine. */
#ifndef KDUMP_ARMING_FURTHER_TARGETS_H
#define KDUMP_ARMING_FURTHER_TARGETS_H

#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/config/conf.h"
#include "kdump/storage/target.h"

enum { FURTHER_TARGETS_MAX = 15 };

struct further_targets {
	struct target target[FURTHER_TARGETS_MAX];
	size_t count;
};

/** Resolve the further targets of @conf. *ret is to be freed on failure, too. Errors as of target_resolve() and
 *  target_resolve_rootfs(); KD_ERR_LIMIT: there are more than FURTHER_TARGETS_MAX. */
struct kd_error *further_targets_resolve(const struct kd_sysroot *root, const struct kd_log *log,
					 const struct kd_conf *conf, struct further_targets *ret) MUST_CHECK;

/** @first and the further ones, in the order in which they are tried, with a NULL at the end. */
void further_targets_list(const struct target *first, const struct further_targets *further,
			  const struct target *list[static FURTHER_TARGETS_MAX + 2]);

/** A zeroed struct is allowed. */
void further_targets_free(struct further_targets *further);

#endif
