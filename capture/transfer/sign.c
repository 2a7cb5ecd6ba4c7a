/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/transfer/sign.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define BLOCK_SIZE 64 /* of SHA-256 */

void sign_hash(const void *data, size_t size, char ret[static SIGN_HASH_SIZE])
{
	uint8_t digest[KD_SHA256_SIZE];
	struct kd_sha256 sha;

	kd_sha256_init(&sha);
	kd_sha256_update(&sha, data, size);
	kd_sha256_final(&sha, digest);
	kd_hex(digest, sizeof(digest), ret);
}

void sign_date(time_t time, char ret[static SIGN_DATE_SIZE])
{
	struct tm tm = { 0 };

	gmtime_r(&time, &tm);
	if (!strftime(ret, SIGN_DATE_SIZE, "%Y%m%dT%H%M%SZ", &tm))
		*ret = '\0';
}

/* HMAC (RFC 2104). */
static void hmac(const void *key, size_t key_size, const char *text, uint8_t ret[static KD_SHA256_SIZE])
{
	uint8_t block[BLOCK_SIZE] = { 0 }, inner[KD_SHA256_SIZE];
	struct kd_sha256 sha;

	if (key_size > sizeof(block)) {
		kd_sha256_init(&sha);
		kd_sha256_update(&sha, key, key_size);
		kd_sha256_final(&sha, block);
	} else {
		memcpy(block, key, key_size);
	}
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36;
	kd_sha256_init(&sha);
	kd_sha256_update(&sha, block, sizeof(block));
	kd_sha256_update(&sha, text, strlen(text));
	kd_sha256_final(&sha, inner);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36 ^ 0x5c;
	kd_sha256_init(&sha);
	kd_sha256_update(&sha, block, sizeof(block));
	kd_sha256_update(&sha, inner, sizeof(inner));
	kd_sha256_final(&sha, ret);
}

static bool signing_key(const struct sign_request *request, const char *day, uint8_t key[static KD_SHA256_SIZE])
{
	_cleanup_free_ char *secret = NULL;

	if (asprintf(&secret, "AWS4%s", request->secret) < 0) {
		secret = NULL;
		return false;
	}
	hmac(secret, strlen(secret), day, key);
	hmac(key, KD_SHA256_SIZE, request->region, key);
	hmac(key, KD_SHA256_SIZE, "s3", key);
	hmac(key, KD_SHA256_SIZE, "aws4_request", key);
	return true;
}

char *sign_authorization(const struct sign_request *request)
{
	const char *token = request->token,
		   *names = token ? "host;x-amz-content-sha256;x-amz-date;x-amz-security-token" :
				    "host;x-amz-content-sha256;x-amz-date";
	_cleanup_free_ char *canonical = NULL, *text = NULL;
	char date[SIGN_DATE_SIZE], hash[SIGN_HASH_SIZE], signature[SIGN_HASH_SIZE], *result;
	uint8_t key[KD_SHA256_SIZE], digest[KD_SHA256_SIZE];

	sign_date(request->time, date);
	if (asprintf(&canonical, "%s\n%s\n%s\nhost:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n%s%s%s\n%s\n%s",
		     request->method, request->path, request->query, request->host, request->payload, date,
		     token ? "x-amz-security-token:" : "", token ? token : "", token ? "\n" : "", names,
		     request->payload) < 0) {
		canonical = NULL;
		return NULL;
	}
	sign_hash(canonical, strlen(canonical), hash);
	if (asprintf(&text, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/s3/aws4_request\n%s", date, date, request->region, hash) <
	    0) {
		text = NULL;
		return NULL;
	}
	/* The day is the first eight digits of the time. */
	date[8] = '\0';
	if (!signing_key(request, date, key))
		return NULL;
	hmac(key, sizeof(key), text, digest);
	kd_hex(digest, sizeof(digest), signature);
	if (asprintf(&result, "AWS4-HMAC-SHA256 Credential=%s/%s/%s/s3/aws4_request,SignedHeaders=%s,Signature=%s",
		     request->key, date, request->region, names, signature) < 0)
		return NULL;
	return result;
}
