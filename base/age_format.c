/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/age_format.h"

#include <sodium.h>
#include <string.h>

struct kd_error *age_init(void)
{
	return sodium_init() < 0 ? kd_error_create(KD_ERR_UNSUPPORTED, "libsodium cannot be used") : NULL;
}

void kd_age_erase(void *data, size_t size)
{
	sodium_memzero(data, size);
}

/* --- Base64 ------------------------------------------------------------------------------------------------------- */

void age_encode_32(const uint8_t data[32], char ret[AGE_TEXT_32 + 1])
{
	sodium_bin2base64(ret, AGE_TEXT_32 + 1, data, 32, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

bool age_decode_32(const char *text, uint8_t ret[32])
{
	size_t size;

	/* The bits of the last character that stand for nothing have to be zero, which libsodium checks. */
	return sodium_base642bin(ret, 32, text, AGE_TEXT_32, NULL, &size, NULL,
				 sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
	       size == 32;
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

/* HKDF-SHA256 (RFC 5869) of 32 bytes: extract, then one block of expand. */
static void derive(const uint8_t *secret, size_t secret_size, const uint8_t *salt, size_t salt_size, const char *info,
		   uint8_t ret[AGE_KEY])
{
	static const uint8_t first = 1;
	crypto_auth_hmacsha256_state state;
	uint8_t extracted[32];

	crypto_auth_hmacsha256_init(&state, salt, salt_size);
	crypto_auth_hmacsha256_update(&state, secret, secret_size);
	crypto_auth_hmacsha256_final(&state, extracted);
	crypto_auth_hmacsha256_init(&state, extracted, sizeof(extracted));
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)info, strlen(info));
	crypto_auth_hmacsha256_update(&state, &first, sizeof(first));
	crypto_auth_hmacsha256_final(&state, ret);
	kd_age_erase(extracted, sizeof(extracted));
	kd_age_erase(&state, sizeof(state));
}

void age_public_key(const uint8_t secret[32], uint8_t ret[32])
{
	static const uint8_t base[32] = { 9 };

	/* It fails only for a point of small order. */
	(void)!crypto_scalarmult(ret, secret, base);
}

bool age_wrap_key(const uint8_t secret[32], const uint8_t point[32], const uint8_t share[32],
		  const uint8_t recipient[32], uint8_t ret[AGE_KEY])
{
	uint8_t shared[32], salt[64];

	if (crypto_scalarmult(shared, secret, point) != 0)
		return false;
	memcpy(salt, share, 32);
	memcpy(salt + 32, recipient, 32);
	derive(shared, sizeof(shared), salt, sizeof(salt), "age-encryption.org/v1/X25519", ret);
	kd_age_erase(shared, sizeof(shared));
	return true;
}

void age_header_mac(const uint8_t file_key[AGE_FILE_KEY], const void *header, size_t size, uint8_t ret[AGE_MAC])
{
	crypto_auth_hmacsha256_state state;
	uint8_t key[AGE_KEY];

	derive(file_key, AGE_FILE_KEY, (const uint8_t *)"", 0, "header", key);
	crypto_auth_hmacsha256_init(&state, key, sizeof(key));
	crypto_auth_hmacsha256_update(&state, header, size);
	crypto_auth_hmacsha256_final(&state, ret);
	kd_age_erase(key, sizeof(key));
	kd_age_erase(&state, sizeof(state));
}

void age_payload_key(const uint8_t file_key[AGE_FILE_KEY], const uint8_t nonce[AGE_NONCE], uint8_t ret[AGE_KEY])
{
	derive(file_key, AGE_FILE_KEY, nonce, AGE_NONCE, "payload", ret);
}

void age_chunk_nonce(uint64_t number, bool last, uint8_t ret[12])
{
	memset(ret, 0, 12);
	for (unsigned int i = 0; i < 8; i++)
		ret[10 - i] = (uint8_t)(number >> 8 * i);
	ret[11] = last;
}
