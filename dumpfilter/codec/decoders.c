/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/array.h"
#include "dumpfilter/codec/decoder.h"

const struct decoder *const decoders[] = {
	&decoder_zlib,
#ifdef HAVE_LZO
	&decoder_lzo,
#endif
#ifdef HAVE_SNAPPY
	&decoder_snappy,
#endif
	&decoder_zstd,   NULL,
};
_Static_assert(ARRAY_SIZE(decoders) <= DECODERS_MAX + 1, "DECODERS_MAX");

const char *decoder_name(uint32_t flag)
{
	switch (flag) {
	case CODEC_FLAG_NONE:
		return "none";
	case CODEC_FLAG_ZLIB:
		return "zlib";
	case CODEC_FLAG_LZO:
		return "lzo";
	case CODEC_FLAG_SNAPPY:
		return "snappy";
	case CODEC_FLAG_ZSTD:
		return "zstd";
	default:
		return NULL;
	}
}
