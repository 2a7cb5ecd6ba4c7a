/* SPDX-License-Identifier: GPL-2.0-or-later */
/** How a page is compressed: the flags of a page_desc, and of the status field of a kdump header, which has flags of
 *  its own beside them (dumpfilter/vmcore/kdump_format.h). The numbers are makedumpfile's. */
#ifndef DUMPFILTER_CODEC_CODEC_FLAG_H
#define DUMPFILTER_CODEC_CODEC_FLAG_H

enum codec_flag {
	CODEC_FLAG_NONE = 0x0, /* the page is stored as it is */
	CODEC_FLAG_ZLIB = 0x1,
	CODEC_FLAG_LZO = 0x2,
	CODEC_FLAG_SNAPPY = 0x4,
	CODEC_FLAG_ZSTD = 0x20,
};

#endif
