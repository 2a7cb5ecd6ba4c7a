/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <lzo/lzo1x.h>
#include <stdlib.h>

#include "dumpfilter/codec.h"

static void *create(size_t page_size)
{
	if (lzo_init() != LZO_E_OK)
		return NULL;
	return calloc(1, LZO1X_1_MEM_COMPRESS);
}

static size_t bound(size_t size)
{
	return size + size / 16 + 64 + 3;
}

static size_t compress_page(void *context, const void *in, size_t in_size, void *out)
{
	lzo_uint out_size = bound(in_size);

	return lzo1x_1_compress(in, in_size, out, &out_size, context) == LZO_E_OK ? out_size : 0;
}

const struct codec codec_lzo = {
	.name = "lzo",
	.option = 'l',
	.flag = 0x2,
	.create = create,
	.destroy = free,
	.bound = bound,
	.compress = compress_page,
};
