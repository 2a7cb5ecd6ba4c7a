/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The kinds of servers of objects, one file each: what can be written once, from its beginning to its end. */
#ifndef CAPTURE_TRANSFER_STORE_H
#define CAPTURE_TRANSFER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "capture/transfer/http.h"

/** Every kind's own struct begins with this one. */
struct upload {
	const struct store *store;
};

/* Paths count from the settings' URL and are not encoded: "/DIRECTORY/vmcore-incomplete". */
struct store {
	/** Make a directory, where the server has such things. */
	struct kd_error *(*mkdir)(struct http *http, const char *path);
	/** Begin to write the dump @path. */
	struct kd_error *(*begin)(struct http *http, const struct settings *settings, const char *path,
				  struct upload **ret);
	/** Write anywhere. What of it may be written again is stated by each kind. */
	struct kd_error *(*write)(struct upload *upload, uint64_t offset, const void *data, size_t size);
	/** No more will be written; the file has @size bytes. All of it is on the server when this returns. */
	struct kd_error *(*finish)(struct upload *upload, uint64_t size);
	/** What is finished is a complete dump: it is called @path from now on, as far as the server can do that. */
	struct kd_error *(*commit)(struct upload *upload, const char *path);
	/** What is finished is not a complete dump, and stays, with a name that says so. */
	struct kd_error *(*keep)(struct upload *upload);
	/** It is not wanted any more. A server may refuse to remove it. */
	void (*drop)(struct upload *upload);
	/** Release the memory. */
	void (*free)(struct upload *upload);
	/** Before commit() or keep() nothing of it can be seen. */
	bool hidden;
};

extern const struct store store_dav; /* HTTP and WebDAV: a flattened stream */
extern const struct store store_s3;  /* multipart: an ordinary dump, unless its tables are too large to be kept */

/** PUT a whole object. */
struct kd_error *store_put(struct http *http, const char *path, const void *data, size_t size) MUST_CHECK;
/** DELETE it; whether the server has done so is in the error. */
struct kd_error *store_delete(struct http *http, const char *path) MUST_CHECK;

#endif
