/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <lzo/lzo1x.h>

#include "dumpfilter/codec/decoder.h"

/* Nothing is kept between calls; any address that is not NULL will do. */
static void *create(void)
{
	static char nothing;

	return lzo_init() == LZO_E_OK ? &nothing : NULL;
}

static void destroy(void *context)
{
}

static bool expand(void *context, const void *in, size_t in_size, void *out, size_t out_size)
{
	lzo_uint size = out_size;

	return lzo1x_decompress_safe(in, in_size, out, &size, NULL) == LZO_E_OK && size == out_size;
}

const struct decoder decoder_lzo = {
	.name = "lzo",
	.flag = CODEC_FLAG_LZO,
	.create = create,
	.destroy = destroy,
	.expand = expand,
};
