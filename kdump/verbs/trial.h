/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The end of a trial of a kernel, for other verbs. */
#ifndef KDUMP_VERBS_TRIAL_H
#define KDUMP_VERBS_TRIAL_H

#include "kdump/verbs/kdumpctl.h"

/** The part "--try" of a reboot (verbs/reboot.h). */
struct reboot_request;
struct kd_error *try_prepare(struct kdumpctl *ctl, const char *value, struct reboot_request *request) MUST_CHECK;
struct kd_error *try_loaded(struct kdumpctl *ctl, const char *value, const struct reboot_request *request) MUST_CHECK;
void try_stays(struct kdumpctl *ctl);

/** Once per boot: if the machine has returned from a trial, say so, on the log and in the journal. */
void trial_collect(const struct kdumpctl *ctl);

#endif
