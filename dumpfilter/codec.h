/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Page compression: one row, and one source file, per codec. */
#ifndef DUMPFILTER_CODEC_H
#define DUMPFILTER_CODEC_H

#include <stddef.h>
#include <stdint.h>

struct codec {
	const char *name;
	char option;   /* -c, -l, -p, -z */
	uint32_t flag; /* of a page_desc, and of the header's status */

	/** Working memory for one thread, made once and used for every page; NULL: no memory. */
	void *(*create)(size_t page_size);
	void (*destroy)(void *context);

	/** Room that compress() may need for @size bytes. */
	size_t (*bound)(size_t size);
	/** @in_size bytes into @out, which has bound(in_size) bytes. Returns the bytes written; 0 if the codec failed,
	 *  and then the page is stored as it is. */
	size_t (*compress)(void *context, const void *in, size_t in_size, void *out);
};

extern const struct codec codec_zlib;
extern const struct codec codec_lzo;    /* only with HAVE_LZO */
extern const struct codec codec_snappy; /* only with HAVE_SNAPPY */
extern const struct codec codec_zstd;

/** The codecs that a program offers, NULL-terminated. Not in the library: each program that reads dumpfilter's
 *  command line defines this table, and so links the codecs it names and no others. */
extern const struct codec *const codecs[];

#endif
