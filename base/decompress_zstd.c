/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/decompress.h"

#include <stdlib.h>
#include <zstd.h>

DEFINE_CLEANUP(ZSTD_DStream *, ZSTD_freeDStream)

struct kd_error *kd_decompress_zstd(const void *data, size_t size, size_t max, const char *what, void **ret,
				    size_t *size_ret)
{
	_cleanup_(ZSTD_freeDStream) ZSTD_DStream *stream = ZSTD_createDStream();
	ZSTD_inBuffer in = { .src = data, .size = size };
	ZSTD_outBuffer out = { 0 };
	size_t capacity = size * 4 + 4096, status;
	_cleanup_free_ uint8_t *buf = NULL;

	if (!stream)
		return kd_error_nomem();
	for (;;) {
		uint8_t *grown;

		if (capacity > max)
			capacity = max;
		grown = realloc(buf, capacity + 1);
		if (!grown)
			return kd_error_nomem();
		out.dst = buf = grown;
		out.size = capacity;
		status = ZSTD_decompressStream(stream, &out, &in);
		if (ZSTD_isError(status))
			return kd_error_create(KD_ERR_FORMAT, "%s: corrupt zstd data: %s", what,
					       ZSTD_getErrorName(status));
		if (status == 0 && in.pos == in.size)
			break;
		if (out.pos < out.size && in.pos == in.size)
			return kd_error_create(KD_ERR_FORMAT, "%s: zstd data ends too early", what);
		if (out.pos == out.size) {
			if (capacity == max)
				return kd_error_create(KD_ERR_LIMIT, "%s: expands to more than %zu bytes", what, max);
			capacity *= 2;
		}
	}
	buf[out.pos] = '\0';
	*size_ret = out.pos;
	*ret = take_ptr(buf);
	return NULL;
}
