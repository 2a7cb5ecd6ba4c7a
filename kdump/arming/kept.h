/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The record of an image that lies on the disk: what it was made from. It outlives the boot, and so can tell whether
 *  the image may be loaded although it is not the one that would be made now. */
#ifndef KDUMP_ARMING_KEPT_H
#define KDUMP_ARMING_KEPT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "kdump/arming/armed.h"
#include "kdump/storage/target.h"

/** What kdumpctl keeps beside an image: its record has this suffix. */
#define KEPT_SUFFIX ".record"

/** Where a capture writes: a plan with nothing but @targets (NULL-terminated) and the volumes below them. Errors as of
 *  volumes_resolve(). */
struct kd_error *kept_plan(const struct kd_sysroot *root, const struct target *const *targets,
			   struct kd_plan *ret) MUST_CHECK;

/** The same as one SHA-256 (hex). *ret is owned by the caller. */
struct kd_error *kept_map(const struct kd_sysroot *root, const struct target *const *targets, char **ret) MUST_CHECK;

/** Write @armed beside the image that it names. */
struct kd_error *kept_write(const struct kd_sysroot *root, const struct armed *armed) MUST_CHECK;

/** Read the record of image @initrd. *found is false, and *ret zeroed, if there is no record that can be read, or if
 *  it is of another image. KD_ERR_NOMEM. */
struct kd_error *kept_read(const struct kd_sysroot *root, const char *initrd, struct armed *ret,
			   bool *found) MUST_CHECK;

#endif
