/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <zstd.h>

#include "dumpfilter/codec/codec.h"

#define LEVEL 1 /* higher ones gain little on single pages and cost much */

static void *create(size_t page_size)
{
	return ZSTD_createCCtx();
}

static void destroy(void *context)
{
	ZSTD_freeCCtx(context);
}

static size_t compress_page(void *context, const void *in, size_t in_size, void *out)
{
	size_t size = ZSTD_compressCCtx(context, out, ZSTD_compressBound(in_size), in, in_size, LEVEL);

	return ZSTD_isError(size) ? 0 : size;
}

const struct codec codec_zstd = {
	.name = "zstd",
	.option = 'z',
	.flag = CODEC_FLAG_ZSTD,
	.create = create,
	.destroy = destroy,
	.bound = ZSTD_compressBound,
	.compress = compress_page,
};
