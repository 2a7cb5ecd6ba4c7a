/* SPDX-License-Identifier: GPL-2.0-or-later */
/** While a trial lasts, the panic kernel is the old kernel. Whoever would load the capture kernel, or unload what is
 *  loaded, puts that off until the trial is committed. */
#ifndef KDUMP_AIRBAG_GUARD_H
#define KDUMP_AIRBAG_GUARD_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"

/** Is this boot on trial? Then *ret is true, and the wish is noted: to have the capture kernel loaded (@load), or
 *  not. */
struct kd_error *guard_defer(const struct kd_sysroot *root, const struct kd_log *log, bool load, bool *ret) MUST_CHECK;

/** Take the note back. Returns whether the capture kernel is wanted. */
bool guard_take(const struct kd_sysroot *root);

#endif
