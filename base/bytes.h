/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Amounts of memory, and a test of its contents. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** @n MiB in bytes. */
#define KD_MIB(n) ((uint64_t)(n) << 20)

/** @bytes in MiB, rounded up: so much memory is needed to hold them. */
static inline uint64_t kd_mib_up(uint64_t bytes)
{
	return (bytes >> 20) + (bytes % KD_MIB(1) != 0);
}

/** Are all of @size bytes (at least one) zero? */
static inline bool kd_all_zero(const void *data, size_t size)
{
	const unsigned char *byte = data;

	/* The first byte is zero, and each other byte equals the one before it. */
	return byte[0] == 0 && memcmp(byte, byte + 1, size - 1) == 0;
}

#endif
