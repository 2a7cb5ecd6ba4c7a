/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <snappy-c.h>

#include "dumpfilter/codec/decoder.h"

/* The library keeps nothing between calls; any address that is not NULL will do. */
static void *create(void)
{
	static char nothing;

	return &nothing;
}

static void destroy(void *context)
{
}

static bool expand(void *context, const void *in, size_t in_size, void *out, size_t out_size)
{
	size_t size = out_size;

	return snappy_uncompress(in, in_size, out, &size) == SNAPPY_OK && size == out_size;
}

const struct decoder decoder_snappy = {
	.name = "snappy",
	.flag = CODEC_FLAG_SNAPPY,
	.create = create,
	.destroy = destroy,
	.expand = expand,
};
