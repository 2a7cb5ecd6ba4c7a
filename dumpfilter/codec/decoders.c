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
	case 0:
		return "none";
	case 0x1:
		return "zlib";
	case 0x2:
		return "lzo";
	case 0x4:
		return "snappy";
	case 0x20:
		return "zstd";
	default:
		return NULL;
	}
}
