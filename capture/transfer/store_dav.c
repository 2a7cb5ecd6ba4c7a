/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A PUT of unknown size cannot go back, so a dump becomes a flattened stream; what is encrypted is a stream already.
 * Memory: the buffer of http.c. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/age.h"
#include "base/parse.h"
#include "base/text.h"
#include "capture/transfer/flat.h"
#include "capture/transfer/store.h"

struct dav_upload {
	struct upload upload;
	struct http *http;   /* for other requests */
	struct http *stream; /* a connection of its own: other requests may come between */
	const struct settings *settings;
	char *path; /* with the suffix */
	bool finished;
	bool plain;   /* it is sent as it is written, */
	uint64_t end; /* and so much of it was */
	struct flat flat;
};

static struct dav_upload *from(struct upload *upload)
{
	return (struct dav_upload *)upload;
}

static struct kd_error *name(const struct dav_upload *dav, const char *path, char **ret)
{
	return kd_format(ret, "%s%s", path, dav->plain ? "" : ".flat");
}

/* 405: it exists, or the server has no MKCOL and makes directories by itself; a PUT into it will tell. */
static struct kd_error *dav_mkdir(struct http *http, const char *path)
{
	_cleanup_free_ struct http_answer *answer = malloc(sizeof(*answer));
	_cleanup_free_ char *encoded = NULL, *with_slash = NULL;
	struct http_request request = { .method = "MKCOL" };
	struct kd_error *err = answer ? http_encode(path, &encoded) : kd_error_nomem();

	if (!err)
		err = kd_format(&with_slash, "%s/", encoded);
	request.path = with_slash;
	if (!err)
		err = http_call(http, &request, answer);
	if (!err && answer->status != 405 && answer->status != 501)
		err = http_judge(&request, answer);
	return err;
}

static struct kd_error *send(void *arg, const void *data, size_t size)
{
	return http_write(arg, data, size);
}

static void dav_free(struct upload *upload)
{
	struct dav_upload *dav = from(upload);

	http_close(dav->stream);
	free(dav->path);
	free(dav);
}

static struct kd_error *dav_begin(struct http *http, const struct settings *settings, const char *path,
				  struct upload **ret)
{
	struct dav_upload *dav = calloc(1, sizeof(*dav));
	_cleanup_free_ char *encoded = NULL;
	struct kd_error *err;

	if (!dav)
		return kd_error_nomem();
	*dav = (struct dav_upload){
		.upload = { &store_dav },
		.http = http,
		.settings = settings,
		.plain = kd_ends_with(path, KD_AGE_SUFFIX),
	};
	err = http_open(settings, &dav->stream);
	dav->flat.send = send;
	dav->flat.arg = dav->stream;
	if (!err)
		err = name(dav, path, &dav->path);
	if (!err)
		err = http_encode(dav->path, &encoded);
	if (!err)
		err = http_begin(dav->stream, encoded);
	if (err) {
		dav_free(&dav->upload);
		return err;
	}
	*ret = &dav->upload;
	return NULL;
}

static struct kd_error *write_plain(struct dav_upload *dav, uint64_t offset, const void *data, size_t size)
{
	if (offset != dav->end)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s is written at %" PRIu64 " after %" PRIu64 " bytes",
				       dav->path, offset, dav->end);
	dav->end += size;
	return http_write(dav->stream, data, size);
}

static struct kd_error *dav_write(struct upload *upload, uint64_t offset, const void *data, size_t size)
{
	struct dav_upload *dav = from(upload);

	return dav->plain ? write_plain(dav, offset, data, size) : flat_write(&dav->flat, offset, data, size);
}

static struct kd_error *dav_finish(struct upload *upload, uint64_t size)
{
	_cleanup_free_ struct http_answer *answer = malloc(sizeof(*answer));
	const struct http_request request = { .method = "PUT" };
	struct dav_upload *dav = from(upload);
	struct kd_error *err = answer ? NULL : kd_error_nomem();

	if (!err && !dav->plain)
		err = flat_finish(&dav->flat, size);
	if (!err)
		err = http_finish(dav->stream, answer);
	if (!err)
		err = http_judge(&request, answer);
	dav->finished = !err;
	return err;
}

/* *moved: the server could do it. */
static struct kd_error *move(struct dav_upload *dav, const char *path, bool *moved)
{
	_cleanup_free_ struct http_answer *answer = malloc(sizeof(*answer));
	_cleanup_free_ char *encoded = NULL, *to = NULL, *destination = NULL;
	struct http_request request = { .method = "MOVE" };
	struct kd_error *err = answer ? http_encode(dav->path, &encoded) : kd_error_nomem();

	if (!err)
		err = http_encode(path, &to);
	if (!err)
		err = kd_format(&destination, "Destination: %s%s", dav->settings->url, to);
	if (err)
		return err;
	request.path = encoded;
	request.header[0] = destination;
	request.header[1] = "Overwrite: T";
	err = http_call(dav->http, &request, answer);
	if (err)
		return err;
	*moved = answer->status >= 200 && answer->status < 300;
	return answer->status >= 500 && answer->status != 501 ? http_judge(&request, answer) : NULL;
}

static struct kd_error *dav_commit(struct upload *upload, const char *path)
{
	static const char words[] =
		"The object that this one is named after is a complete dump, whatever its own name is.\n";
	struct dav_upload *dav = from(upload);
	_cleanup_free_ char *final = NULL, *marker = NULL;
	struct kd_error *err = name(dav, path, &final);
	bool moved = false;

	if (!err)
		err = move(dav, final, &moved);
	if (err || moved)
		return err;
	err = kd_format(&marker, "%s.complete", dav->path);
	return err ? err : store_put(dav->http, marker, words, sizeof(words) - 1);
}

static struct kd_error *dav_keep(struct upload *upload)
{
	return NULL; /* that is its name */
}

static void dav_drop(struct upload *upload)
{
	struct dav_upload *dav = from(upload);

	if (dav->finished)
		kd_error_destroy(store_delete(dav->http, dav->path));
}

const struct store store_dav = {
	.mkdir = dav_mkdir,
	.begin = dav_begin,
	.write = dav_write,
	.finish = dav_finish,
	.commit = dav_commit,
	.keep = dav_keep,
	.drop = dav_drop,
	.free = dav_free,
};
