/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/transfer/http.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "capture/clock.h"
#include "capture/transfer/sign.h"

enum {
	CONNECT_SECONDS = 20,
	SILENT_SECONDS = 45, /* without a byte in either direction */
	CALL_SECONDS = 300,
	ATTEMPTS = 3,
	BUSY_SECONDS = 15, /* for a server that asks for time; whoever waits for an answer has half a minute at least */
	BUFFER = 256 << 10, /* of a PUT of unknown size */
};

struct http {
	const struct settings *settings;
	CURL *easy;
	struct curl_slist *resolve, *headers;
	char error[CURL_ERROR_SIZE];
	bool impatient; /* with a server that has asked for time, and had it */
	/* The PUT that is going on. */
	CURLM *multi;
	bool ended;  /* no more data will come */
	bool paused; /* libcurl waits for data */
	size_t used, sent;
	unsigned char *buffer;
	struct http_answer answer;
};

/* --- what the server says ----------------------------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct http_answer *answer = arg;

	if (count > HTTP_ANSWER_MAX - answer->size)
		return 0; /* an error of the transfer */
	memcpy(answer->body + answer->size, data, count);
	answer->size += count;
	answer->body[answer->size] = '\0';
	return count;
}

/* One header line, which is not ended by a NUL. */
static size_t take_header(char *data, size_t size, size_t count, void *arg)
{
	static const char etag[] = "etag:";
	struct http_answer *answer = arg;
	const char *value, *end;

	if (count > HTTP_ANSWER_MAX - answer->header_size)
		return 0;
	answer->header_size += count;
	if (count < sizeof(etag) || strncasecmp(data, etag, sizeof(etag) - 1) != 0)
		return count;
	value = data + sizeof(etag) - 1;
	end = data + count;
	while (value < end && isspace((unsigned char)*value))
		value++;
	while (end > value && isspace((unsigned char)end[-1]))
		end--;
	if ((size_t)(end - value) < sizeof(answer->etag)) {
		memcpy(answer->etag, value, (size_t)(end - value));
		answer->etag[end - value] = '\0';
	}
	return count;
}

struct kd_error *http_judge(const struct http_request *request, const struct http_answer *answer)
{
	struct kd_error *err;
	char words[161];
	size_t used = 0;

	if (answer->status >= 200 && answer->status < 300)
		return NULL;
	/* Servers explain themselves in HTML and XML; the tags help nobody. */
	for (const char *p = answer->body; *p && used < sizeof(words) - 1; p++) {
		if (*p == '<')
			p += strcspn(p, ">");
		if (!*p)
			break;
		if (*p == '>' || isspace((unsigned char)*p)) {
			if (used && words[used - 1] != ' ')
				words[used++] = ' ';
		} else {
			words[used++] = *p;
		}
	}
	words[used] = '\0';
	err = kd_error_create(KD_ERR_STATE, "the server answers %ld to %s%s%s", answer->status, request->method,
			      *words ? ": " : "", words);
	/* "Content Too Large" (RFC 9110) and "Insufficient Storage" (RFC 4918). */
	if ((answer->status == 413 || answer->status == 507) && err->code != KD_ERR_NOMEM)
		err->errnum = ENOSPC;
	return err;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

struct kd_error *http_encode(const char *path, char **ret)
{
	char *text = malloc(3 * strlen(path) + 1), *end = text;

	if (!text)
		return kd_error_nomem();
	for (; *path; path++) {
		if (isalnum((unsigned char)*path) || strchr("-_.~/", *path))
			*end++ = *path;
		else
			end += sprintf(end, "%%%02X", (unsigned char)*path);
	}
	*end = '\0';
	*ret = text;
	return NULL;
}

static struct kd_error *add_header(struct http *http, const char *fmt, ...) PRINTF_FORMAT(2, 3) MUST_CHECK;
static struct kd_error *add_header(struct http *http, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	struct curl_slist *grown;
	struct kd_error *err;
	va_list ap;

	va_start(ap, fmt);
	err = kd_vformat(&text, fmt, ap);
	va_end(ap);
	if (err)
		return err;
	grown = curl_slist_append(http->headers, text);
	if (!grown)
		return kd_error_nomem();
	http->headers = grown;
	return NULL;
}

/* The value of Host, as libcurl makes it from the URL. */
static struct kd_error *host_header(const struct settings *settings, char **ret)
{
	return settings->port == (settings->tls ? 443 : 80) ? kd_set_text(ret, settings->host) :
							      kd_format(ret, "%s:%u", settings->host, settings->port);
}

static struct kd_error *sign(struct http *http, const struct http_request *request)
{
	const struct settings *settings = http->settings;
	const char *top = strchr(strstr(settings->url, "://") + 3, '/');
	char date[SIGN_DATE_SIZE], hash[SIGN_HASH_SIZE] = SIGN_UNSIGNED;
	_cleanup_free_ char *host = NULL, *path = NULL, *authorization = NULL;
	struct sign_request sign = {
		.method = request->method,
		.query = request->query ? request->query : "",
		.payload = hash,
		.token = settings->token,
		.key = settings->user,
		.secret = settings->password,
		.region = settings->region,
		.time = time(NULL),
	};
	struct kd_error *err = host_header(settings, &host);

	if (!err)
		err = kd_format(&path, "%s%s", top ? top : "", *request->path || top ? request->path : "/");
	if (err)
		return err;
	if (!settings->tls)
		sign_hash(request->body, request->size, hash);
	sign.host = host;
	sign.path = path;
	sign_date(sign.time, date);
	authorization = sign_authorization(&sign);
	if (!authorization)
		return kd_error_nomem();
	err = add_header(http, "x-amz-date: %s", date);
	if (!err)
		err = add_header(http, "x-amz-content-sha256: %s", hash);
	if (!err && settings->token)
		err = add_header(http, "x-amz-security-token: %s", settings->token);
	return err ? err : add_header(http, "Authorization: %s", authorization);
}

static struct kd_error *authorize(struct http *http, const struct http_request *request)
{
	const struct settings *settings = http->settings;

	if (settings->s3)
		return sign(http, request);
	if (settings->token)
		return add_header(http, "Authorization: Bearer %s", settings->token);
	if (settings->user) {
		curl_easy_setopt(http->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(http->easy, CURLOPT_USERNAME, settings->user);
		curl_easy_setopt(http->easy, CURLOPT_PASSWORD, settings->password);
	}
	return NULL;
}

/* What every request has. A connection is kept for the next one. */
static struct kd_error *prepare(struct http *http, const struct http_request *request, struct http_answer *answer)
{
	const char *query = request->query;
	_cleanup_free_ char *url = NULL;
	struct kd_error *err;
	CURL *easy = http->easy;

	curl_easy_reset(easy);
	curl_slist_free_all(take_ptr(http->headers));
	memset(answer, 0, sizeof(*answer));
	err = kd_format(&url, "%s%s%s%s", http->settings->url, request->path, query ? "?" : "", query ? query : "");
	if (err)
		return err;
	http->error[0] = '\0';
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->error);
	curl_easy_setopt(easy, CURLOPT_URL, url);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, http->settings->tls ? "https" : "http");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, http->settings->tls ? (long)CURLPROTO_HTTPS : (long)CURLPROTO_HTTP);
#endif
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)SILENT_SECONDS);
	curl_easy_setopt(easy, CURLOPT_RESOLVE, http->resolve);
	if (http->settings->ca) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, http->settings->ca);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, answer);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	/* Nobody needs to be asked for leave first. */
	err = add_header(http, "Expect:");
	for (size_t i = 0; i < HTTP_HEADERS_MAX && request->header[i] && !err; i++)
		err = add_header(http, "%s", request->header[i]);
	if (!err)
		err = authorize(http, request);
	return err;
}

static struct kd_error *failure(const struct http *http, CURLcode code)
{
	return kd_error_create(code == CURLE_OPERATION_TIMEDOUT ? KD_ERR_TIMEOUT : KD_ERR_STATE,
			       "no answer of the server: %s", *http->error ? http->error : curl_easy_strerror(code));
}

struct kd_error *http_reach(struct http *http)
{
	const struct http_request nothing = { .method = "GET", .path = "" };
	struct kd_error *err = prepare(http, &nothing, &http->answer);
	CURLcode code;

	if (err)
		return err;
	curl_easy_setopt(http->easy, CURLOPT_CONNECT_ONLY, 1L);
	code = curl_easy_perform(http->easy);
	return code == CURLE_OK ? NULL : failure(http, code);
}

static struct kd_error *call_once(struct http *http, const struct http_request *request, struct http_answer *ret)
{
	struct kd_error *err = prepare(http, request, ret);
	CURLcode code;

	if (err)
		return err;
	curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, http->headers);
	curl_easy_setopt(http->easy, CURLOPT_TIMEOUT, (long)CALL_SECONDS);
	if (request->body || strcmp(request->method, "PUT") == 0 || strcmp(request->method, "POST") == 0) {
		curl_easy_setopt(http->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->size);
		curl_easy_setopt(http->easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
	}
	code = curl_easy_perform(http->easy);
	curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &ret->status);
	return code == CURLE_OK ? NULL : failure(http, code);
}

/* "Too Many Requests" (RFC 6585) and "Service Unavailable" (RFC 9110): S3 asks for more time so. */
static bool is_busy(const struct kd_error *err, const struct http_answer *answer)
{
	return !err && (answer->status == 429 || answer->status == 503);
}

/* May the same request end otherwise in a moment? */
static bool may_pass(const struct kd_error *err, const struct http_answer *answer)
{
	if (err)
		return err->code == KD_ERR_STATE || err->code == KD_ERR_TIMEOUT;
	return is_busy(err, answer) || (answer->status >= 500 && answer->status != 501 && answer->status != 507);
}

struct kd_error *http_call(struct http *http, const struct http_request *request, struct http_answer *ret)
{
	int64_t start = clock_ms(), patience = start + SILENT_SECONDS * INT64_C(1000);

	for (int attempt = 1;; attempt++) {
		struct kd_error *err = call_once(http, request, ret);
		bool busy = is_busy(err, ret), waits;

		http->impatient |= busy && clock_ms() > start + BUSY_SECONDS * INT64_C(1000);
		waits = busy && !http->impatient;
		if (!may_pass(err, ret) || (attempt >= ATTEMPTS && !waits) || clock_ms() > patience)
			return err;
		kd_error_destroy(err);
		sleep((unsigned)attempt);
	}
}

/* --- a PUT of unknown size ---------------------------------------------------------------------------------------- */

static size_t give(char *to, size_t size, size_t count, void *arg)
{
	struct http *http = arg;
	size_t piece = http->used - http->sent;

	if (!piece && !http->ended) {
		http->paused = true;
		return CURL_READFUNC_PAUSE;
	}
	piece = piece < size * count ? piece : size * count;
	memcpy(to, http->buffer + http->sent, piece);
	http->sent += piece;
	return piece;
}

struct kd_error *http_begin(struct http *http, const char *path)
{
	const struct http_request request = { .method = "PUT", .path = path };
	struct kd_error *err = prepare(http, &request, &http->answer);

	if (err)
		return err;
	http->used = http->sent = 0;
	http->ended = http->paused = false;
	if (!http->buffer)
		http->buffer = malloc(BUFFER);
	if (!http->multi)
		http->multi = curl_multi_init();
	if (!http->buffer || !http->multi)
		return kd_error_nomem();
	curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, http->headers);
	/* What was sent once is gone: a connection that has died meanwhile must not be tried. */
	curl_easy_setopt(http->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(http->easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(http->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER);
	curl_easy_setopt(http->easy, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(http->easy, CURLOPT_READDATA, http);
	/* The dump may need minutes to go on; http_write() watches the server itself. */
	curl_easy_setopt(http->easy, CURLOPT_LOW_SPEED_LIMIT, 0L);
	curl_multi_add_handle(http->multi, http->easy);
	return NULL;
}

/* The transfer is over, which is too early unless all data was given. *over: it is. */
static struct kd_error *look_for_end(struct http *http, bool *over)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		*over = true;
		curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &http->answer.status);
		if (message->data.result != CURLE_OK)
			return failure(http, message->data.result);
	}
	return NULL;
}

/* Go on until no data is left in the buffer, or, at the end, the server has answered. */
static struct kd_error *drive(struct http *http)
{
	const struct http_request request = { .method = "PUT" };
	int64_t deadline = clock_ms() + SILENT_SECONDS * INT64_C(1000);
	bool over = false;

	for (;;) {
		size_t sent = http->sent;
		struct kd_error *err;
		int running;

		if (http->paused) {
			http->paused = false;
			curl_easy_pause(http->easy, CURLPAUSE_CONT);
		}
		curl_multi_perform(http->multi, &running);
		err = look_for_end(http, &over);
		if (err)
			return err;
		if (over && !http->ended) {
			err = http_judge(&request, &http->answer);
			return err ? err : kd_error_create(KD_ERR_STATE, "the server answers before it has all");
		}
		if (over || (!http->ended && http->sent == http->used))
			return NULL;
		if (http->sent != sent)
			deadline = clock_ms() + SILENT_SECONDS * INT64_C(1000);
		if (clock_ms() >= deadline)
			return kd_error_create(KD_ERR_TIMEOUT, "the server takes nothing for %d seconds",
					       SILENT_SECONDS);
		curl_multi_poll(http->multi, NULL, 0, 1000, NULL);
	}
}

struct kd_error *http_write(struct http *http, const void *data, size_t size)
{
	const unsigned char *from = data;

	while (size) {
		size_t piece = BUFFER - http->used < size ? BUFFER - http->used : size;
		struct kd_error *err;

		memcpy(http->buffer + http->used, from, piece);
		http->used += piece;
		from += piece;
		size -= piece;
		if (http->used < BUFFER)
			continue;
		err = drive(http);
		if (err)
			return err;
		http->used = http->sent = 0;
	}
	return NULL;
}

/* The PUT is over, well or not. */
static void leave(struct http *http)
{
	if (http->multi)
		curl_multi_remove_handle(http->multi, http->easy);
}

struct kd_error *http_finish(struct http *http, struct http_answer *ret)
{
	struct kd_error *err;

	http->ended = true;
	err = drive(http);
	*ret = http->answer;
	leave(http);
	return err;
}

/* --- beginning and end -------------------------------------------------------------------------------------------- */

/* "HOST:PORT:ADDRESS,ADDRESS": the certificate is still that of HOST. */
static struct kd_error *set_addresses(struct http *http)
{
	const struct settings *settings = http->settings;
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out;

	if (!settings->address_count)
		return NULL;
	out = open_memstream(&text, &size);
	if (!out)
		return kd_error_nomem();
	fprintf(out, "%s:%u:", settings->host, settings->port);
	for (size_t i = 0; i < settings->address_count; i++)
		fprintf(out, strchr(settings->address[i], ':') ? "%s[%s]" : "%s%s", i ? "," : "", settings->address[i]);
	if (fclose(out) != 0)
		return kd_error_nomem();
	http->resolve = curl_slist_append(NULL, text);
	return http->resolve ? NULL : kd_error_nomem();
}

struct kd_error *http_open(const struct settings *settings, struct http **ret)
{
	_cleanup_(http_close) struct http *http = calloc(1, sizeof(*http));
	struct kd_error *err;

	if (!http || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return kd_error_nomem();
	http->settings = settings;
	http->easy = curl_easy_init();
	if (!http->easy)
		return kd_error_nomem();
	err = set_addresses(http);
	if (!err)
		*ret = take_ptr(http);
	return err;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	leave(http);
	curl_easy_cleanup(http->easy);
	if (http->multi)
		curl_multi_cleanup(http->multi);
	curl_slist_free_all(http->resolve);
	curl_slist_free_all(http->headers);
	free(http->buffer);
	free(http);
}
