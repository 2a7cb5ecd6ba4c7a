/* SPDX-License-Identifier: GPL-2.0-or-later */
/** kdumpctl debug: find the kernel with debugging symbols for a dump, and open both in a debugger. */
#ifndef KDUMP_VERBS_DEBUG_H
#define KDUMP_VERBS_DEBUG_H

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/verbs/kdumpctl.h"

extern const struct verb_option debug_options[];
kdumpctl_verb debug_dump;

#endif
