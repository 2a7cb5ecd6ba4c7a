/* SPDX-License-Identifier: GPL-2.0-or-later */
/** How much memory the capture needed: what crashkernel= must cover. */
#ifndef CAPTURE_MEMORY_H
#define CAPTURE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sysroot.h"

struct memory_use {
	uint64_t total; /* bytes: MemTotal of the capture kernel */
	uint64_t peak;  /* highest MemTotal - MemAvailable that was seen */
};

/** Find MemTotal and MemAvailable in the text of /proc/meminfo; bytes. */
bool memory_parse(const char *meminfo, uint64_t *total, uint64_t *available);

/** Look now, and keep the maximum. */
void memory_note(struct memory_use *use, const struct kd_sysroot *root);

#endif
