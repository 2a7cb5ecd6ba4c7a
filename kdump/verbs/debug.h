/* SPDX-License-Identifier: GPL-2.0-or-later */
/** kdumpctl debug: the right kernel with debugging symbols for a dump, and the debugger for both. */
#ifndef KDUMP_VERBS_DEBUG_H
#define KDUMP_VERBS_DEBUG_H

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/verbs/kdumpctl.h"

extern const struct verb_option debug_options[];
kdumpctl_verb debug_dump;

#endif
