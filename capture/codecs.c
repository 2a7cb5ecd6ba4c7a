/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The codecs of the capture program: our own. core_collector's -p and -z need dumpfilter(8) in the image. */
#include <stddef.h>

#include "dumpfilter/codec/codec.h"

const struct codec *const codecs[] = {
	&codec_default, &codec_fast, &codec_small, &codec_zlib, &codec_lzo, NULL,
};
