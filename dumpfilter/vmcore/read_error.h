/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The first place of the crashed kernel's memory that could not be read, and why.
 *
 *  The first is the lowest, because threads may meet the errors in any order.
 */
#ifndef DUMPFILTER_VMCORE_READ_ERROR_H
#define DUMPFILTER_VMCORE_READ_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct read_error {
	uint64_t paddr; /* physical address */
	char text[128]; /* why: the words of errno where there is one; "": everything could be read */
};

static inline bool read_error_is_set(const struct read_error *error)
{
	return error->text[0] != '\0';
}

/** Stores the error in @first if that has none, or one at a higher address. */
void read_error_add(struct read_error *first, uint64_t paddr, const struct kd_error *err);
/** The same with what another thread has noted, which may be nothing. */
void read_error_join(struct read_error *first, const struct read_error *other);

#endif
