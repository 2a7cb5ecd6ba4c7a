/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The verbs that write crashkernel= into the boot loader's configuration. */
#ifndef KDUMP_VERBS_RESET_CRASHKERNEL_H
#define KDUMP_VERBS_RESET_CRASHKERNEL_H

#include "kdump/verbs/kdumpctl.h"

extern const struct verb_option reset_options[];

/** reset-crashkernel [SIZE]; get-default-crashkernel [kdump|fadump]. */
kdumpctl_verb reset_crashkernel, reset_get_default;

/** _reset-crashkernel-after-update, for package scripts: if auto_reset_crashkernel is on, replace the value that
 *  kdumpctl recommended last if it is no longer right. */
kdumpctl_verb reset_after_update;

/** _reset-crashkernel-for-installed_kernel KVER, for kernel-install: give the entry of a new kernel the setting that
 *  kdumpctl wrote for the others. */
kdumpctl_verb reset_for_kernel;

#endif
