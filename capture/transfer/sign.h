/* SPDX-License-Identifier: GPL-2.0-or-later */
/** AWS Signature Version 4 (docs.aws.amazon.com, "Create a signed AWS API request"), for S3. Our own, since libcurl's
 *  signs what S3 accepts only from 8.x on, and distributions have older ones. */
#ifndef CAPTURE_TRANSFER_SIGN_H
#define CAPTURE_TRANSFER_SIGN_H

#include <stddef.h>
#include <time.h>

#include "base/sha256.h"

#define SIGN_HASH_SIZE (2 * KD_SHA256_SIZE + 1)
/** What x-amz-content-sha256 says of a body that TLS protects. */
#define SIGN_UNSIGNED "UNSIGNED-PAYLOAD"

struct sign_request {
	const char *method;
	const char *host;    /* as in the header Host */
	const char *path;    /* as it is sent; "/" at least */
	const char *query;   /* as it is sent, sorted by name, each with '='; "" for none */
	const char *payload; /* value of x-amz-content-sha256 */
	const char *token;   /* value of x-amz-security-token; NULL: none */
	const char *key, *secret, *region;
	time_t time;
};

/** SHA-256 of @size bytes at @data in hex. */
void sign_hash(const void *data, size_t size, char ret[static SIGN_HASH_SIZE]);

/** The value of x-amz-date. */
#define SIGN_DATE_SIZE sizeof("20130524T000000Z")
void sign_date(time_t time, char ret[static SIGN_DATE_SIZE]);

/** The value of Authorization, for a request whose signed headers are host, x-amz-content-sha256, x-amz-date and, with
 *  a token, x-amz-security-token. NULL: no memory. The caller frees it. */
char *sign_authorization(const struct sign_request *request);

#endif
