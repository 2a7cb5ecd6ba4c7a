/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The containers that kdump.conf names as targets (kdump/storage/held.h). */
#ifndef KDUMP_VERBS_CONTAINERS_H
#define KDUMP_VERBS_CONTAINERS_H

#include "kdump/verbs/kdumpctl.h"

/** Move the dumps of all of them to where the dumps of this machine are (kdump/dumps/waiting.h). What goes wrong is a
 *  warning on ctl->log, and the next container is tried. */
void containers_collect(const struct kdumpctl *ctl);

/** Tell on ctl->log which containers hold dumps, as far as this user can see that. */
void containers_remark(const struct kdumpctl *ctl);

#endif
