/* SPDX-License-Identifier: GPL-2.0-or-later */
/** SHA-256 (FIPS 180-4). Freestanding, without library calls or data relocations, because the purgatory is built from
 *  the same source. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define KD_SHA256_SIZE 32

struct kd_sha256 {
	uint32_t state[8];
	uint64_t length; /* bytes hashed so far */
	uint8_t block[64];
};

void kd_sha256_init(struct kd_sha256 *ctx);
void kd_sha256_update(struct kd_sha256 *ctx, const void *data, size_t size);
void kd_sha256_final(struct kd_sha256 *ctx, uint8_t digest[static KD_SHA256_SIZE]);

#endif
