/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <zlib.h>

#include "dumpfilter/codec/decoder.h"

static void *create(void)
{
	z_stream *stream = calloc(1, sizeof(*stream));

	if (stream && inflateInit(stream) != Z_OK) {
		free(stream);
		return NULL;
	}
	return stream;
}

static void destroy(void *context)
{
	inflateEnd(context);
	free(context);
}

static bool expand(void *context, const void *in, size_t in_size, void *out, size_t out_size)
{
	z_stream *stream = context;

	if (inflateReset(stream) != Z_OK)
		return false;
	stream->next_in = (Bytef *)(uintptr_t)in;
	stream->avail_in = (uInt)in_size;
	stream->next_out = out;
	stream->avail_out = (uInt)out_size;
	return inflate(stream, Z_FINISH) == Z_STREAM_END && stream->avail_out == 0;
}

const struct decoder decoder_zlib = {
	.name = "zlib",
	.flag = CODEC_FLAG_ZLIB,
	.create = create,
	.destroy = destroy,
	.expand = expand,
};
