/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All codecs: our own, and those of libraries that configure found. */
#include "config.h"

#include "dumpfilter/codec/codec.h"

const struct codec *const codecs[] = {
	&codec_default, &codec_fast, &codec_small, &codec_zlib, &codec_lzo,
#ifdef HAVE_SNAPPY
	&codec_snappy,
#endif
	&codec_zstd,    NULL,
};
