/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Copy /proc/vmcore as it is: the rung below the filter. */
#ifndef CAPTURE_COPY_H
#define CAPTURE_COPY_H

#include <stdint.h>

#include "base/error.h"

struct copy_result {
	uint64_t written;          /* bytes in the file that are not holes */
	uint64_t unreadable;       /* bytes that the kernel would not hand out: holes */
	uint64_t first_unreadable; /* offset of the first of them, if there are any */
	char error[64];            /* why that could not be read */
};

/** Copy @from to the new file @to, mode 0600; pages of zeros become holes; synced. @progress (may be NULL) gets pages
 *  of 4096 bytes. */
struct kd_error *copy_vmcore(const char *from, const char *to,
			     void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
			     struct copy_result *ret) MUST_CHECK;

#endif
