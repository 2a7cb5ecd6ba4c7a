/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Page compression: one row, and one source file, per codec. */
#ifndef DUMPFILTER_CODEC_CODEC_H
#define DUMPFILTER_CODEC_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "dumpfilter/codec/codec_flag.h"

struct codec {
	const char *name;
	char option;             /* -c, -l, -p, -z; or 0 */
	const char *long_option; /* "fast", "small"; or NULL */
	enum codec_flag flag;

	/** Working memory for one thread, made once and used for every page; NULL: no memory. */
	void *(*create)(size_t page_size);
	void (*destroy)(void *context);

	/** Room that compress() may need for @size bytes. */
	size_t (*bound)(size_t size);
	/** @in_size bytes into @out, which has bound(in_size) bytes. Returns the bytes written, which depend on these
	 *  bytes alone; 0 if the codec failed, and then the page is stored as it is. */
	size_t (*compress)(void *context, const void *in, size_t in_size, void *out);
};

/* Encoders of our own, small and without tables of the library's size; what they write every decoder reads. */
extern const struct codec codec_default; /* zlib: a Huffman code out of sixteen that are built in */
extern const struct codec codec_zlib;    /* zlib: a Huffman code of its own for each page */
extern const struct codec codec_small;   /* the same, and looks harder for repetitions */
extern const struct codec codec_lzo;
extern const struct codec codec_fast; /* LZO: looks less hard */
/* Libraries. */
extern const struct codec codec_snappy; /* only with HAVE_SNAPPY */
extern const struct codec codec_zstd;

/** The codecs that a command line can name, NULL-terminated; the first of them is for command lines that name none.
 *  Each table is in a file of its own, so a program is linked with the codecs of the tables that it uses and no others:
 *  the capture program with codecs_built_in, every other one with codecs. */
extern const struct codec *const codecs[];          /* our own, and those of libraries that configure found */
extern const struct codec *const codecs_built_in[]; /* our own */

#endif
