/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/decompress.h"

#include <lzma.h>
#include <stdlib.h>

#include "base/bytes.h"

struct kd_error *kd_decompress_xz(const void *data, size_t size, size_t max, const char *what, void **ret,
				  size_t *size_ret)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	size_t capacity = size * 4 + 4096, done = 0;
	_cleanup_free_ uint8_t *out = NULL;
	struct kd_error *err = NULL;
	lzma_ret status;

	if (lzma_auto_decoder(&stream, KD_MIB(256), 0) != LZMA_OK)
		return kd_error_nomem();
	stream.next_in = data;
	stream.avail_in = size;
	do {
		uint8_t *grown;

		if (capacity > max)
			capacity = max;
		grown = realloc(out, capacity + 1);
		if (!grown) {
			err = kd_error_nomem();
			break;
		}
		out = grown;
		stream.next_out = out + done;
		stream.avail_out = capacity - done;
		status = lzma_code(&stream, LZMA_FINISH);
		done = stream.next_out - out;
		if (status == LZMA_STREAM_END)
			break;
		if (status == LZMA_MEM_ERROR)
			err = kd_error_nomem();
		else if (status == LZMA_MEMLIMIT_ERROR)
			err = kd_error_create(KD_ERR_LIMIT, "%s: xz data needs more than 256 MiB of memory", what);
		else if (status != LZMA_OK && status != LZMA_BUF_ERROR)
			err = kd_error_create(KD_ERR_FORMAT, "%s: corrupt xz data", what);
		else if (stream.avail_out)
			err = kd_error_create(KD_ERR_FORMAT, "%s: xz data ends too early", what);
		else if (capacity == max)
			err = kd_error_create(KD_ERR_LIMIT, "%s: expands to more than %zu bytes", what, max);
		capacity *= 2;
	} while (!err);
	lzma_end(&stream);
	if (err)
		return err;
	out[done] = '\0';
	*ret = take_ptr(out);
	*size_ret = done;
	return NULL;
}
