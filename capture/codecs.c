/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The codecs that pay for their size in a capture kernel. core_collector's -p and -z need dumpfilter(8) in the image. */
#include "config.h"

#include <stddef.h>

#include "dumpfilter/codec.h"

const struct codec *const codecs[] = {
#ifdef HAVE_LZO
	&codec_lzo,
#endif
	&codec_zlib,
	NULL,
};
