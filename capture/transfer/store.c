/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/transfer/store.h"

#include <stdlib.h>

static struct kd_error *call(struct http *http, const char *method, const char *path, const void *data, size_t size)
{
	_cleanup_free_ struct http_answer *answer = malloc(sizeof(*answer));
	_cleanup_free_ char *encoded = NULL;
	struct http_request request = { .method = method, .body = data, .size = size };
	struct kd_error *err = answer ? http_encode(path, &encoded) : kd_error_nomem();

	request.path = encoded;
	if (!err)
		err = http_call(http, &request, answer);
	if (!err)
		err = http_judge(&request, answer);
	return kd_error_wrap(err, "%s", path);
}

struct kd_error *store_put(struct http *http, const char *path, const void *data, size_t size)
{
	return call(http, "PUT", path, data, size);
}

struct kd_error *store_delete(struct http *http, const char *path)
{
	return call(http, "DELETE", path, NULL, 0);
}
