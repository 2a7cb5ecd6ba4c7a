/* SPDX-License-Identifier: GPL-2.0-or-later */
/** kdumpctl debug: the right kernel with debugging symbols for a dump, and the debugger for both. */
#ifndef KDUMP_DEBUG_H
#define KDUMP_DEBUG_H

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/kdumpctl.h"

extern const struct verb_option debug_options[];
kdumpctl_verb debug_dump;

/** The vmlinux of kernel @release whose GNU build-id is @build_id (hex; NULL: not known, then the release has to do), in the
 *  places where distributions put it. *ret is owned by the caller, and can be opened as it is. KD_ERR_NOT_FOUND: the text names the package to install,
 *  and candidates of another build. */
struct kd_error *debug_find_vmlinux(const struct kd_sysroot *root, const char *release, const char *build_id,
				    char **ret) MUST_CHECK;

#endif
