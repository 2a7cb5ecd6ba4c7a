/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/decompress.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* The last four bytes of a gzip file hold the size modulo 2^32: a good first guess, but only a guess. */
static size_t guess_size(const uint8_t *data, size_t size, size_t max)
{
	uint32_t isize = 0;

	if (size >= 18)
		isize = (uint32_t)data[size - 1] << 24 | data[size - 2] << 16 | data[size - 3] << 8 | data[size - 4];
	return isize && isize <= max ? isize : (size * 3 < max ? size * 3 : max);
}

static void inflate_end(z_stream *z)
{
	inflateEnd(z);
}
DEFINE_CLEANUP(z_stream *, inflate_end)

struct kd_error *kd_decompress_gzip(const void *data, size_t size, size_t max, const char *what, void **ret,
				    size_t *size_ret)
{
	z_stream z = { .next_in = (uint8_t *)data, .avail_in = size };
	_cleanup_(inflate_end) z_stream *end = NULL;
	size_t capacity = guess_size(data, size, max), done = 0;
	_cleanup_free_ uint8_t *out = NULL;
	int status;

	if (size > UINT32_MAX || max > UINT32_MAX)
		return kd_error_create(KD_ERR_LIMIT, "%s: gzip data of 4 GiB or more is not supported", what);
	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return kd_error_nomem();
	end = &z;
	for (;;) {
		/* One byte more than @max allows, to tell "too large" from "just fits", and for the NUL. */
		uint8_t *grown = realloc(out, capacity + 1);

		if (!grown)
			return kd_error_nomem();
		out = grown;
		z.next_out = out + done;
		z.avail_out = capacity + 1 - done;
		status = inflate(&z, Z_FINISH);
		done = z.next_out - out;
		if (status == Z_STREAM_END)
			break;
		if (status == Z_MEM_ERROR)
			return kd_error_nomem();
		if (status != Z_OK && status != Z_BUF_ERROR)
			return kd_error_create(KD_ERR_FORMAT, "%s: corrupt gzip data: %s", what,
					       z.msg ? z.msg : "not gzip");
		if (z.avail_out)
			return kd_error_create(KD_ERR_FORMAT, "%s: gzip data ends too early", what);
		if (capacity == max)
			return kd_error_create(KD_ERR_LIMIT, "%s: expands to more than %zu bytes", what, max);
		capacity = capacity <= max / 2 ? capacity * 2 + 1 : max;
		if (capacity > max)
			capacity = max;
	}
	if (done > max)
		return kd_error_create(KD_ERR_LIMIT, "%s: expands to more than %zu bytes", what, max);
	if (done == capacity + 1) {
		uint8_t *grown = realloc(out, done + 1);

		if (!grown)
			return kd_error_nomem();
		out = grown;
	}
	out[done] = '\0';
	*ret = take_ptr(out);
	*size_ret = done;
	return NULL;
}
