/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A vmcore whose memory is hostile: a sound little machine (tests/unit/dumpfilter/dumpfilter-testing.h,
 *  aarch64-testing.h, debuginfo-testing.h) with a fuzzer's changes.
 *
 *  The input: a byte of flags (bits 0-4 dump level, bit 5 5-level paging, bit 6 aarch64, bit 7 a kernel with kallsyms
 *  and BTF), then changes: a byte that says where, a byte
 *  that says how many bytes, two bytes of offset (in units of 8), and the bytes themselves. If the input ends early,
 *  the changes up to there count.
 */
#ifndef TESTS_FUZZ_HOSTILE_H
#define TESTS_FUZZ_HOSTILE_H

#include <stddef.h>
#include <stdint.h>

/** Bytes that a dump of it can have at most: its memory, and tables for as many page frames as it can claim. */
#define HOSTILE_DUMP_MAX (UINT64_C(8) << 20)

struct hostile {
	const char *path;   /* of the vmcore; borrowed */
	unsigned int level; /* dump level */
};

/** Make it, in a file that stays the same from call to call. */
void hostile_make(const uint8_t *data, size_t size, struct hostile *ret);

#endif
