/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The table of verbs. */
#ifndef KDUMP_CLI_VERB_TABLE_H
#define KDUMP_CLI_VERB_TABLE_H

#include <stddef.h>

#include "kdump/verbs/kdumpctl.h"

extern const struct verb kdumpctl_verbs[];
extern const size_t kdumpctl_verb_count;

/** NULL: there is no verb @name. */
const struct verb *kdumpctl_find_verb(const char *name);

/** Do help and completions show @verb? Hidden verbs, and Red Hat's that are refused, are not shown. */
bool verb_is_shown(const struct verb *verb);

#endif
