/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The codecs of the program dumpfilter: all that configure found. */
#include "config.h"

#include "dumpfilter/codec.h"

const struct codec *const codecs[] = {
	&codec_zlib,
#ifdef HAVE_LZO
	&codec_lzo,
#endif
#ifdef HAVE_SNAPPY
	&codec_snappy,
#endif
	&codec_zstd,
	NULL,
};
