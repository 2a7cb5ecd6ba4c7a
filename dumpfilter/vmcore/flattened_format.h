/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The flattened format of makedumpfile -F: a dump as a sequence of records, for pipes. All numbers are big-endian. */
#ifndef DUMPFILTER_VMCORE_FLATTENED_FORMAT_H
#define DUMPFILTER_VMCORE_FLATTENED_FORMAT_H

#include <stdint.h>

#define FLATTENED_SIGNATURE   "makedumpfile"
#define FLATTENED_HEADER_SIZE 4096u /* zeros behind the struct */
#define FLATTENED_TYPE        1u
#define FLATTENED_VERSION     1u

struct flattened_header {
	char signature[16];
	uint64_t type;
	uint64_t version;
};

/** Data follows. Records may be in any order, and must not overlap; the last one has -1 for both numbers. */
struct flattened_record {
	uint64_t offset; /* in the dump */
	uint64_t size;
};

#endif
