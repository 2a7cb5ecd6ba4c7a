/* SPDX-License-Identifier: GPL-2.0-or-later */
/** SHA-256 as text: 64 hex digits and a NUL. */
#ifndef INITRAMFS_HASH_H
#define INITRAMFS_HASH_H

#include <stddef.h>

#include "base/sha256.h"

#define HASH_TEXT_SIZE (2 * KD_SHA256_SIZE + 1)

/** Finish @sha and write the digest to @ret. */
void hash_final(struct kd_sha256 *sha, char ret[static HASH_TEXT_SIZE]);

void hash_bytes(const void *data, size_t size, char ret[static HASH_TEXT_SIZE]);

#endif
