/* SPDX-License-Identifier: GPL-2.0-or-later */
/** From the configuration and the machine to the plan that the capture follows. Everything that the plan names is
 *  checked to be there.
 */
#ifndef KDUMP_ARMING_PLAN_BUILD_H
#define KDUMP_ARMING_PLAN_BUILD_H

#include <stddef.h>

#include "base/error.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "kdump/config/conf.h"
#include "kdump/storage/target.h"

/** Programs that the image needs besides those that the plan names: extra_bins, and a dumpfilter that is not the one
 *  built into the capture program. NULL-terminated, each once, absolute paths. */
struct plan_programs {
	char **path;
	size_t count;
	char *missing; /* lines: which commands of hooks this machine does not have; NULL: none */
};

/** Everything of the plan but its modules, which the initramfs builder adds, and its volumes (volumes_resolve()).
 *  @targets: NULL-terminated, in the order in which they are tried.
 *
 *  Hooks, and a collector that is run as a program, have absolute paths there.
 *
 *  KD_ERR_CONFIG, KD_ERR_NOT_FOUND: a hook, collector or extra_bins entry is missing or not executable. */
struct kd_error *plan_build(const struct kd_sysroot *root, const struct kd_conf *conf, const char *release,
			    const struct target *const *targets, struct kd_plan *plan,
			    struct plan_programs *programs) MUST_CHECK;

/** The whole plan but its modules: plan_build(), with the volumes that the devices of @targets are and the network that
 *  leads to them. @log may be NULL. Errors as of plan_build(), volumes_resolve() and network_resolve(). */
struct kd_error *plan_resolve(const struct kd_sysroot *root, const struct kd_log *log, const struct kd_conf *conf,
			      const char *release, const struct target *const *targets, struct kd_plan *plan,
			      struct plan_programs *programs) MUST_CHECK;

/** Could the plan have the volumes of @target and the network that leads to it? Errors as of volumes_resolve() and
 *  network_resolve(). */
struct kd_error *plan_try_target(const struct kd_sysroot *root, const struct target *target) MUST_CHECK;

/** A zeroed struct is allowed. */
void plan_programs_free(struct plan_programs *programs);
static inline void plan_programs_free_cleanup(struct plan_programs *programs)
{
	plan_programs_free(programs);
}

#endif
