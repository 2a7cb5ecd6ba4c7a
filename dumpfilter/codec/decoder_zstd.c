/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <zstd.h>

#include "dumpfilter/codec/decoder.h"

static void *create(void)
{
	return ZSTD_createDCtx();
}

static void destroy(void *context)
{
	ZSTD_freeDCtx(context);
}

static bool expand(void *context, const void *in, size_t in_size, void *out, size_t out_size)
{
	return ZSTD_decompressDCtx(context, out, out_size, in, in_size) == out_size;
}

const struct decoder decoder_zstd = {
	.name = "zstd",
	.flag = CODEC_FLAG_ZSTD,
	.create = create,
	.destroy = destroy,
	.expand = expand,
};
