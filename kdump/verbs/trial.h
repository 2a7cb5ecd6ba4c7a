/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The end of a trial of a kernel, for other verbs. */
#ifndef KDUMP_VERBS_TRIAL_H
#define KDUMP_VERBS_TRIAL_H

#include "kdump/verbs/kdumpctl.h"

/** Once per boot: if the machine has returned from a trial, say so, on the log and in the journal. */
void trial_collect(const struct kdumpctl *ctl);

#endif
