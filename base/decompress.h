/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Expand whole compressed files in memory: kernels, modules, members of the capture initramfs.
 *
 *  One source file per format, so that a static program links only what it calls (capture: gzip).
 */
#ifndef BASE_DECOMPRESS_H
#define BASE_DECOMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** Expand @size bytes at @data. @what is for messages. *ret is owned by the caller (free), with a NUL behind it that is
 *  not counted. KD_ERR_FORMAT (corrupt, truncated), KD_ERR_LIMIT (more than @max bytes come out). */
typedef struct kd_error *kd_decompress_fn(const void *data, size_t size, size_t max, const char *what, void **ret,
					  size_t *size_ret);
kd_decompress_fn kd_decompress_gzip MUST_CHECK;
kd_decompress_fn kd_decompress_xz MUST_CHECK; /* .xz and .lzma */
kd_decompress_fn kd_decompress_zstd MUST_CHECK;

/** The function for data that starts like this; NULL if it is no compressed format known here. */
kd_decompress_fn *kd_decompress_probe(const void *data, size_t size);

#endif
