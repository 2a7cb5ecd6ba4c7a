/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The containers that kdump.conf names as targets (kdump/storage/held.h). */
#ifndef KDUMP_VERBS_CONTAINERS_H
#define KDUMP_VERBS_CONTAINERS_H

#include "base/json.h"
#include "kdump/verbs/kdumpctl.h"

/** Move the dumps of all of them to where the dumps of this machine are (kdump/dumps/waiting.h). What goes wrong is a
 *  warning on ctl->log, and the next container is tried. */
void containers_collect(const struct kdumpctl *ctl);

/** Tell on ctl->log which containers hold dumps, as far as this user can see that. */
void containers_remark(const struct kdumpctl *ctl);

/** The same for programs: an object for each dump that waits, in the array that is open in @json. */
void containers_put(const struct kdumpctl *ctl, struct kd_json *json);

/** What each of them can take, beside the size that a dump would have now: a line that begins with @label, in @width
 *  columns; the array "containers" in the object that is open in @json; a warning on ctl->log of one that is too small.
 *  The first two also say why one cannot be opened. */
void containers_print_fit(const struct kdumpctl *ctl, const char *label, int width);
void containers_put_fit(const struct kdumpctl *ctl, struct kd_json *json);
void containers_warn_of_fit(const struct kdumpctl *ctl);

#endif
