/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Writes anywhere in a file, as an append-only stream: the flattened format (dumpfilter/vmcore/flattened_format.h).
 *  Its records must not overlap. So the first FLAT_HEAD bytes, which are written more than once, are sent last, and
 *  what consists of zeros is not sent: bytes that no record has are zero, and room that a writer reserves is written
 *  again. */
#ifndef CAPTURE_TRANSFER_FLAT_H
#define CAPTURE_TRANSFER_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { FLAT_HEAD = 4096 };

struct flat {
	struct kd_error *(*send)(void *arg, const void *data, size_t size);
	void *arg;
	bool begun;
	size_t head_used;
	uint64_t end; /* of what was sent */
	uint8_t head[FLAT_HEAD];
};

struct kd_error *flat_write(struct flat *flat, uint64_t offset, const void *data, size_t size) MUST_CHECK;
/** The last records, of a file of @size bytes. */
struct kd_error *flat_finish(struct flat *flat, uint64_t size) MUST_CHECK;

#endif
