/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Requests to the one server of the settings, by libcurl. Redirections are not followed, no proxy is used, no name is
 *  resolved but by the settings, and no wait is without an end. What a server says is bounded: HTTP_ANSWER_MAX bytes of
 *  body and as many of headers, or the request fails. */
#ifndef CAPTURE_TRANSFER_HTTP_H
#define CAPTURE_TRANSFER_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "capture/transfer/settings.h"

enum { HTTP_ANSWER_MAX = 64 << 10, HTTP_HEADERS_MAX = 8 };

struct http;

struct http_request {
	const char *method;
	const char *path;  /* behind the settings' URL, percent-encoded; "" or "/…" */
	const char *query; /* without '?', encoded and sorted; NULL: none */
	const void *body;
	size_t size;
	const char *header[HTTP_HEADERS_MAX]; /* further ones; NULL: no more */
};

struct http_answer {
	long status;
	char etag[128]; /* with its quotes; "" for none */
	char body[HTTP_ANSWER_MAX + 1];
	size_t size;
	size_t header_size;
};

/** *ret is to be freed with http_close(). The settings are borrowed. KD_ERR_NOMEM. */
struct kd_error *http_open(const struct settings *settings, struct http **ret) MUST_CHECK;
void http_close(struct http *http);
DEFINE_CLEANUP(struct http *, http_close)

/** Can the server be reached? Connect, look at its certificate, leave again; after that only http_close() is of use.
 *  KD_ERR_STATE, KD_ERR_TIMEOUT. */
struct kd_error *http_reach(struct http *http) MUST_CHECK;

/** Carry out @request, up to three times if the server cannot be reached, or says that it is broken (5xx); one that
 *  asks for time (429, 503) has a quarter of a minute, but once. *ret is filled whatever the status is.
 *  KD_ERR_STATE (no connection, certificate, answer too long), KD_ERR_TIMEOUT. */
struct kd_error *http_call(struct http *http, const struct http_request *request, struct http_answer *ret) MUST_CHECK;

/** The error that a status which is not 2xx means; NULL for 2xx. */
struct kd_error *http_judge(const struct http_request *request, const struct http_answer *answer) MUST_CHECK;

/** Begin a PUT of unknown size to @path; http_write() sends, http_finish() ends it and judges the answer. After an
 *  error of one of them only http_close() is of use. */
struct kd_error *http_begin(struct http *http, const char *path) MUST_CHECK;
struct kd_error *http_write(struct http *http, const void *data, size_t size) MUST_CHECK;
struct kd_error *http_finish(struct http *http, struct http_answer *ret) MUST_CHECK;

/** @path percent-encoded: all but unreserved characters and '/'. Owned by the caller. KD_ERR_NOMEM. */
struct kd_error *http_encode(const char *path, char **ret) MUST_CHECK;

#endif
