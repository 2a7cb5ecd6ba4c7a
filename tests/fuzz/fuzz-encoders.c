/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page encoders: any page comes back from the decoders, and buffers are kept to. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#ifdef HAVE_LZO
#include <lzo/lzo1x.h>
#endif

#include "dumpfilter/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* From the input, again and again, each time a little different. */
static void fill(uint8_t *page, size_t page_size, const uint8_t *data, size_t size, uint8_t step)
{
	for (size_t i = 0; i < page_size; i++)
		page[i] = (uint8_t)(data[i % size] + i / size * step);
}

static void check(const struct codec *codec, const uint8_t *page, size_t page_size)
{
	uint8_t *out = malloc(codec->bound(page_size)), *back = malloc(page_size);
	void *context = codec->create(page_size);
	uLongf zlib_size = page_size;
	size_t packed;

	if (!out || !back || !context)
		abort();
	packed = codec->compress(context, page, page_size, out);
	if (packed == 0 || packed > codec->bound(page_size))
		abort();
	if (codec->flag == 1) {
		if (uncompress(back, &zlib_size, out, packed) != Z_OK || zlib_size != page_size ||
		    memcmp(page, back, page_size) != 0)
			abort();
	}
#ifdef HAVE_LZO
	if (codec->flag == 2) {
		lzo_uint lzo_size = page_size;

		if (lzo1x_decompress_safe(out, packed, back, &lzo_size, NULL) != LZO_E_OK || lzo_size != page_size ||
		    memcmp(page, back, page_size) != 0)
			abort();
	}
#endif
	codec->destroy(context);
	free(back);
	free(out);
}

/* The first byte is the encoder and the size of the page, the second the step. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct codec *const ours[] = { &codec_default, &codec_zlib, &codec_small, &codec_lzo, &codec_fast };
	static const size_t sizes[] = { 4096, 64, 2048, 16384, 65536 };
	size_t page_size;
	uint8_t *page;

	if (size < 3)
		return 0;
	page_size = sizes[data[0] / 8 % 5];
	page = malloc(page_size);
	if (!page)
		return 0;
	fill(page, page_size, data + 2, size - 2, data[1]);
	check(ours[data[0] % 5], page, page_size);
	free(page);
	return 0;
}
