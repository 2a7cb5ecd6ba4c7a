/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/decompress.h"

#include <string.h>

#include "base/array.h"

static const struct {
	const char *magic;
	size_t size;
	kd_decompress_fn *decompress;
} formats[] = {
	{ "\x1f\x8b", 2, kd_decompress_gzip },
	{ "\xfd"
	  "7zXZ\0",
	  6, kd_decompress_xz },
	{ "\x5d\0\0", 3, kd_decompress_xz }, /* .lzma: properties byte of the usual settings */
	{ "\x28\xb5\x2f\xfd", 4, kd_decompress_zstd },
	{ "\x02\x21\x4c\x18", 4, kd_decompress_lz4 },
};

kd_decompress_fn *kd_decompress_probe(const void *data, size_t size)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (size >= formats[i].size && memcmp(data, formats[i].magic, formats[i].size) == 0)
			return formats[i].decompress;
	return NULL;
}
