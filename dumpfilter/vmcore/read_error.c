/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/vmcore/read_error.h"

#include <stdio.h>
#include <string.h>

static bool is_first(const struct read_error *first, uint64_t paddr)
{
	return !read_error_is_set(first) || paddr < first->paddr;
}

void read_error_add(struct read_error *first, uint64_t paddr, const struct kd_error *err)
{
	if (!is_first(first, paddr))
		return;
	first->paddr = paddr;
	snprintf(first->text, sizeof(first->text), "%s", err->code == KD_ERR_OS ? strerror(err->errnum) : err->text);
}

void read_error_join(struct read_error *first, const struct read_error *other)
{
	if (read_error_is_set(other) && is_first(first, other->paddr))
		*first = *other;
}
