/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Expand whole compressed files in memory: kernels, modules, members of the capture initramfs.
 *
 *  Each format has a source file of its own, so that a static program links only those that it calls (capture: gzip).
 */
#ifndef BASE_DECOMPRESS_H
#define BASE_DECOMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** Expand @size bytes at @data. @what is the name of the data, for messages. *ret is owned by the caller (free); a NUL
 *  follows the data and is not counted. KD_ERR_FORMAT (corrupt, truncated), KD_ERR_LIMIT (expands to more than @max
 *  bytes). */
typedef struct kd_error *kd_decompress_fn(const void *data, size_t size, size_t max, const char *what, void **ret,
					  size_t *size_ret);
kd_decompress_fn kd_decompress_gzip MUST_CHECK;
kd_decompress_fn kd_decompress_xz MUST_CHECK; /* .xz and .lzma */
kd_decompress_fn kd_decompress_zstd MUST_CHECK;
kd_decompress_fn kd_decompress_lz4 MUST_CHECK; /* the legacy frame */

/** The function that expands data with this beginning; NULL if the data is not in a known compressed format. */
kd_decompress_fn *kd_decompress_probe(const void *data, size_t size);

#endif
