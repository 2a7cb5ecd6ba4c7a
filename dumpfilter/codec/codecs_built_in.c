/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The codecs that the capture program has built in: only our own, since a library would cost it too much memory. */
#include "dumpfilter/codec/codec.h"

const struct codec *const codecs_built_in[] = {
	&codec_default, &codec_fast, &codec_small, &codec_zlib, &codec_lzo, NULL,
};
