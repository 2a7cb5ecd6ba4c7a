/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page encoders: foreign decoders get every page back, and the encoders stay within their buffers. The first byte
 * selects the encoder and the size of the page, the second how the rest is repeated to fill a page. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#ifdef HAVE_LZO
#include <lzo/lzo1x.h>
#endif

#include "base/array.h"
#include "base/cleanup.h"
#include "dumpfilter/codec/codec.h"
#include "tests/fuzz/fuzz.h"

/* Repeat the input, each time with a small difference. */
static void fill(uint8_t *page, size_t page_size, const uint8_t *data, size_t size, uint8_t step)
{
	for (size_t i = 0; i < page_size; i++)
		page[i] = (uint8_t)(data[i % size] + i / size * step);
}

static void check_decoded(const struct codec *codec, const uint8_t *packed, size_t packed_size, const uint8_t *page,
			  size_t page_size)
{
	_cleanup_free_ uint8_t *back = malloc(page_size);
	uLongf zlib_size = page_size;

	REQUIRE(back);
	if (codec->flag == codec_zlib.flag) {
		REQUIRE(uncompress(back, &zlib_size, packed, packed_size) == Z_OK && zlib_size == page_size);
		REQUIRE(memcmp(page, back, page_size) == 0);
	}
#ifdef HAVE_LZO
	if (codec->flag == codec_lzo.flag) {
		lzo_uint lzo_size = page_size;

		REQUIRE(lzo1x_decompress_safe(packed, packed_size, back, &lzo_size, NULL) == LZO_E_OK);
		REQUIRE(lzo_size == page_size && memcmp(page, back, page_size) == 0);
	}
#endif
}

static void check(const struct codec *codec, const uint8_t *page, size_t page_size)
{
	_cleanup_free_ uint8_t *out = malloc(codec->bound(page_size));
	void *context = codec->create(page_size);

	REQUIRE(out && context);
	/* The context is reused for the next page. */
	for (int i = 0; i < 2; i++) {
		size_t size = codec->compress(context, page, page_size, out);

		REQUIRE(size > 0 && size <= codec->bound(page_size));
		check_decoded(codec, out, size, page, page_size);
	}
	codec->destroy(context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct codec *const ours[] = { &codec_default, &codec_zlib, &codec_small, &codec_lzo,
						    &codec_fast };
	static const size_t sizes[] = { 4096, 64, 2048, 16384, 65536 };
	_cleanup_free_ uint8_t *page = NULL;
	size_t page_size;

	if (size < 3)
		return 0;
	page_size = sizes[data[0] / 8 % ARRAY_SIZE(sizes)];
	page = malloc(page_size);
	REQUIRE(page);
	fill(page, page_size, data + 2, size - 2, data[1]);
	check(ours[data[0] % ARRAY_SIZE(ours)], page, page_size);
	return 0;
}
