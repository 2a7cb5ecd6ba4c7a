/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The content of an initramfs: a list of files, and the newc cpio archive made of it.
 *
 *  The archive is a function of the list alone: sorted by path, owned by root, without times. The list is hashed before
 *  anything is compressed, so that it is cheap to find that nothing has changed.
 */
#ifndef INITRAMFS_IMAGE_H
#define INITRAMFS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/error.h"
#include "initramfs/hash.h"

struct image;

struct kd_error *image_new(struct image **ret) MUST_CHECK;
void image_free(struct image *image);
DEFINE_CLEANUP(struct image *, image_free)

/** How a file is stored inside the archive. */
enum image_store {
	IMAGE_STORE_PLAIN,
	IMAGE_STORE_GZIP, /* as one gzip member; a file that is compressed in a known format is expanded first */
};

/** How the archive as a whole is compressed: the capture kernel must be able to expand it. */
enum image_compression {
	IMAGE_COMPRESSION_NONE, /* needs least memory, as each module inside is compressed by itself */
	IMAGE_COMPRESSION_GZIP,
	IMAGE_COMPRESSION_ZSTD,
};
bool image_compression_parse(const char *name, enum image_compression *ret);
/** The option that a kernel must be configured with ("=y") to expand it; NULL if every kernel can. */
const char *image_compression_config(enum image_compression compression);

/* Paths are absolute and canonical. Missing parent directories (0755) are added. Adding the same entry again changes
 * nothing; adding a different type of file under the same path is KD_ERR_FORMAT. */

/** Take over @data (malloc), also on failure. */
struct kd_error *image_add_file(struct image *image, const char *path, mode_t mode, enum image_store store, void *data,
				size_t size) MUST_CHECK;
struct kd_error *image_add_directory(struct image *image, const char *path, mode_t mode) MUST_CHECK;
struct kd_error *image_add_symlink(struct image *image, const char *path, const char *target) MUST_CHECK;
struct kd_error *image_add_character_device(struct image *image, const char *path, mode_t mode, unsigned int major,
					    unsigned int minor) MUST_CHECK;

/** The SHA-256 of the list in hex: of every path, mode and content as it was added. */
void image_hash(struct image *image, enum image_compression compression, char ret[static HASH_TEXT_SIZE]);

/** Make the archive. @ret: owned by the caller. *unpacked_ret: the memory that its files take when they are
 *  unpacked, in bytes (whole pages). */
struct kd_error *image_build(struct image *image, enum image_compression compression, void **ret, size_t *size_ret,
			     uint64_t *unpacked_ret) MUST_CHECK;

/** Print the contents of archive @path to @out, one line "mode size path" for each file. */
struct kd_error *image_list(const char *path, FILE *out) MUST_CHECK;

#endif
