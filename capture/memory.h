/* SPDX-License-Identifier: GPL-2.0-or-later */
/** How much memory the capture needs: so much must crashkernel= reserve. */
#ifndef CAPTURE_MEMORY_H
#define CAPTURE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sysroot.h"

struct memory_use {
	uint64_t total; /* bytes: MemTotal of the capture kernel */
	uint64_t peak;  /* the highest MemTotal - MemAvailable seen so far */
};

/** MemTotal and MemAvailable from the text of /proc/meminfo, in bytes. False if one is missing. */
bool memory_parse(const char *meminfo, uint64_t *total, uint64_t *available);

/** Read /proc/meminfo now, and keep the maximum. */
void memory_note(struct memory_use *use, const struct kd_sysroot *root);

#endif
