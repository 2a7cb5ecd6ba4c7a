/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Unaligned little-endian fields: the kernel documents its boot headers as tables of byte offsets, not as structs. */
#ifndef KDUMP_LOADER_LE_H
#define KDUMP_LOADER_LE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get_le16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline uint32_t get_le32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t get_le64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline void put_le16(void *p, uint16_t value)
{
	value = htole16(value);
	memcpy(p, &value, sizeof(value));
}

static inline void put_le32(void *p, uint32_t value)
{
	value = htole32(value);
	memcpy(p, &value, sizeof(value));
}

static inline void put_le64(void *p, uint64_t value)
{
	value = htole64(value);
	memcpy(p, &value, sizeof(value));
}

#endif
