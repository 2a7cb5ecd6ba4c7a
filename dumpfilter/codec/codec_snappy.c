/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <snappy-c.h>

#include "dumpfilter/codec/codec.h"

/* The library keeps nothing between calls; any address that is not NULL will do. */
static void *create(size_t page_size)
{
	static char nothing;

	return &nothing;
}

static void destroy(void *context)
{
}

static size_t compress_page(void *context, const void *in, size_t in_size, void *out)
{
	size_t out_size = snappy_max_compressed_length(in_size);

	return snappy_compress(in, in_size, out, &out_size) == SNAPPY_OK ? out_size : 0;
}

const struct codec codec_snappy = {
	.name = "snappy",
	.option = 'p',
	.flag = CODEC_FLAG_SNAPPY,
	.create = create,
	.destroy = destroy,
	.bound = snappy_max_compressed_length,
	.compress = compress_page,
};
