/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Amounts of memory, and what is in it. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** @n MiB in bytes. */
#define KD_MIB(n) ((uint64_t)(n) << 20)

/** Whole MiB that hold @bytes: rounded up, as a need is told. */
static inline uint64_t kd_mib_up(uint64_t bytes)
{
	return (bytes >> 20) + (bytes % KD_MIB(1) != 0);
}

/** Are all of @size bytes (at least one) zero? */
static inline bool kd_all_zero(const void *data, size_t size)
{
	const unsigned char *byte = data;

	/* Each byte equals the one before it, and the first one is zero. */
	return byte[0] == 0 && memcmp(byte, byte + 1, size - 1) == 0;
}

#endif
