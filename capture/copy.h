/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Copy /proc/vmcore without filtering: the last way to save a dump. */
#ifndef CAPTURE_COPY_H
#define CAPTURE_COPY_H

#include <stdint.h>

#include "base/error.h"

struct copy_result {
	uint64_t size;             /* bytes of what is copied */
	uint64_t written;          /* bytes of the file that are not holes */
	uint64_t unreadable;       /* bytes that could not be read; they are holes in the file */
	uint64_t first_unreadable; /* offset of the first unreadable byte, if there is one */
	char error[64];            /* why that byte could not be read */
};

/** Copy @from to the new file @to, mode 0600, and sync it; pages of zeros become holes. @to NULL: write the records of
 *  a flattened file to standard output. @progress (may be NULL) gets
 *  numbers of pages of 4096 bytes. */
struct kd_error *copy_vmcore(const char *from, const char *to,
			     void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
			     struct copy_result *ret) MUST_CHECK;

#endif
