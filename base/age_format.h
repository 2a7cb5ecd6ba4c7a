/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What base/age_write.c and base/age_read.c share: keys, and the encoding of the header. */
#ifndef BASE_AGE_FORMAT_H
#define BASE_AGE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/age.h"
#include "base/error.h"

enum {
	AGE_FILE_KEY = 16,
	AGE_KEY = 32,
	AGE_NONCE = 16, /* of the payload */
	AGE_MAC = 32,
	AGE_WRAPPED = AGE_FILE_KEY + KD_AGE_TAG,
	AGE_TEXT_32 = 43, /* characters of 32 bytes in Base64 without padding */
	AGE_COLUMNS = 64, /* of a line of a stanza's body */
	AGE_SEALED_CHUNK = KD_AGE_CHUNK + KD_AGE_TAG,
};

#define AGE_X25519 "X25519"
#define AGE_FOOTER "---"

/** Prepare libsodium, which chooses the fastest code for this processor. */
struct kd_error *age_init(void) MUST_CHECK;

/** Base64 of 32 bytes, without padding, and a NUL. */
void age_encode_32(const uint8_t data[32], char ret[AGE_TEXT_32 + 1]);
/** The reverse of exactly AGE_TEXT_32 characters; false if they are not the one encoding of 32 bytes. */
bool age_decode_32(const char *text, uint8_t ret[32]);

/** The public key of @secret, which is 32 random bytes. */
void age_public_key(const uint8_t secret[32], uint8_t ret[32]);

/** The key that wraps the file key for @recipient. @secret and @point: the ephemeral secret and the recipient's point,
 *  or the recipient's secret and the ephemeral share. False: @point has small order. */
bool age_wrap_key(const uint8_t secret[32], const uint8_t point[32], const uint8_t share[32],
		  const uint8_t recipient[32], uint8_t ret[AGE_KEY]);

/** The MAC of a header: its @size bytes end with AGE_FOOTER. */
void age_header_mac(const uint8_t file_key[AGE_FILE_KEY], const void *header, size_t size, uint8_t ret[AGE_MAC]);

/** The key of the chunks. */
void age_payload_key(const uint8_t file_key[AGE_FILE_KEY], const uint8_t nonce[AGE_NONCE], uint8_t ret[AGE_KEY]);

/** The nonce of chunk @number. */
void age_chunk_nonce(uint64_t number, bool last, uint8_t ret[12]);

#endif
