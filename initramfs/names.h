/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A set of strings in the order in which they were added. A zeroed struct is an empty set. */
#ifndef INITRAMFS_NAMES_H
#define INITRAMFS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct names {
	char **name;
	size_t count;
	size_t capacity;
};

/** Add a copy of @name. *added says whether it is new; may be NULL. */
struct kd_error *names_add(struct names *names, const char *name, bool *added) MUST_CHECK;

void names_free(struct names *names);
static inline void names_free_cleanup(struct names *names)
{
	names_free(names);
}

#endif
