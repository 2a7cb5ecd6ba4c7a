/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <zlib.h>

#include "dumpfilter/codec.h"

struct context {
	z_stream stream;
};

/* A window no larger than the page finds the same matches and needs a fraction of the memory. */
static int window_bits(size_t page_size)
{
	int bits = 9;

	while (bits < MAX_WBITS && ((size_t)1 << bits) < page_size)
		bits++;
	return bits;
}

static void *create(size_t page_size)
{
	struct context *context = calloc(1, sizeof(*context));

	if (!context)
		return NULL;
	if (deflateInit2(&context->stream, Z_BEST_SPEED, Z_DEFLATED, window_bits(page_size), 8,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		free(context);
		return NULL;
	}
	return context;
}

static void destroy(void *arg)
{
	struct context *context = arg;

	if (!context)
		return;
	deflateEnd(&context->stream);
	free(context);
}

static size_t bound(size_t size)
{
	/* compressBound() counts on the default window; a smaller one needs more (zlib's deflateBound()). */
	return size + (size >> 3) + (size >> 6) + 64;
}

static size_t compress_page(void *arg, const void *in, size_t in_size, void *out)
{
	struct context *context = arg;
	z_stream *stream = &context->stream;

	if (deflateReset(stream) != Z_OK)
		return 0;
	stream->next_in = (Bytef *)(uintptr_t)in;
	stream->avail_in = (uInt)in_size;
	stream->next_out = out;
	stream->avail_out = (uInt)bound(in_size);
	return deflate(stream, Z_FINISH) == Z_STREAM_END ? stream->total_out : 0;
}

const struct codec codec_zlib = {
	.name = "zlib",
	.option = 'c',
	.flag = 0x1,
	.create = create,
	.destroy = destroy,
	.bound = bound,
	.compress = compress_page,
};
