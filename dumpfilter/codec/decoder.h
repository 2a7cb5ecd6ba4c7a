/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Page decompression: one row, and one source file, per codec. Apart from codec.h, so that who only writes dumps is
 *  linked without any of it. Input is hostile: nothing is written outside of @out, whatever it says. */
#ifndef DUMPFILTER_CODEC_DECODER_H
#define DUMPFILTER_CODEC_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dumpfilter/codec/codec_flag.h"

struct decoder {
	const char *name;
	enum codec_flag flag;

	/** Working memory for one thread, made once and used for every page; NULL: no memory. */
	void *(*create)(void);
	void (*destroy)(void *context);
	/** True if @in is sound and has given exactly @out_size bytes. */
	bool (*expand)(void *context, const void *in, size_t in_size, void *out, size_t out_size);
};

extern const struct decoder decoder_zlib;
extern const struct decoder decoder_lzo;    /* only with HAVE_LZO */
extern const struct decoder decoder_snappy; /* only with HAVE_SNAPPY */
extern const struct decoder decoder_zstd;

/** All that configure found, NULL-terminated. */
extern const struct decoder *const decoders[];
#define DECODERS_MAX 4

/** A name for a page_desc's or a header's codec flag: "zlib"; "none" for 0; NULL for one that nobody has. */
const char *decoder_name(uint32_t flag);

#endif
