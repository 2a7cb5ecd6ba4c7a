/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/hash.h"

#include "base/text.h"

void hash_final(struct kd_sha256 *sha, char ret[static HASH_TEXT_SIZE])
{
	uint8_t digest[KD_SHA256_SIZE];

	kd_sha256_final(sha, digest);
	kd_hex(digest, sizeof(digest), ret);
}

void hash_bytes(const void *data, size_t size, char ret[static HASH_TEXT_SIZE])
{
	struct kd_sha256 sha;

	kd_sha256_init(&sha);
	kd_sha256_update(&sha, data, size);
	hash_final(&sha, ret);
}
