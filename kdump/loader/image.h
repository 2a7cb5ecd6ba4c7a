/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A kernel file: recognised, expanded if the whole file is compressed, and checked. */
#ifndef KDUMP_LOADER_IMAGE_H
#define KDUMP_LOADER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sysroot.h"

struct kernel_image {
	char *path;
	const char *format; /* "bzImage" */
	uint16_t machine;   /* EM_* */
	uint8_t *file;      /* the whole file, expanded */
	size_t file_size;
	uint8_t *load; /* the part of the file that goes into memory … */
	size_t load_size;
	uint64_t mem_size;  /* … and the memory it takes from its load address on; at least load_size */
	uint64_t align;     /* of the load address (a power of two) */
	uint64_t lowest;    /* lowest load address */
	uint64_t entry;     /* offset from the load address */
	size_t cmdline_max; /* without the NUL */
	bool five_level;    /* can start with 5-level paging on (x86) */
	bool efi_kexec;     /* takes over EFI run-time services from another kernel (x86) */
};

/** Read and check @path below @root; of a unified kernel image, the kernel in it. KD_ERR_FORMAT: truncated, or not a
 *  kernel; KD_ERR_UNSUPPORTED: a kernel of a format or architecture that this loader cannot load. The text says what
 *  the file is and what to do. */
struct kd_error *kernel_image_read(const struct kd_sysroot *root, const char *path,
				   struct kernel_image *ret) MUST_CHECK;

/** As above, from memory. Takes @file (malloc) over, even on failure. */
struct kd_error *kernel_image_parse(const char *path, void *file, size_t size, struct kernel_image *ret) MUST_CHECK;

void kernel_image_free(struct kernel_image *image); /* zeroed is allowed */
static inline void kernel_image_free_cleanup(struct kernel_image *image)
{
	kernel_image_free(image);
}

/** The whole of a kernel or initramfs (at most 1 GiB; kd_sysroot_read() stops at 16 MiB). Owned by the caller. */
struct kd_error *image_read_file(const struct kd_sysroot *root, const char *path, void **ret,
				 size_t *size_ret) MUST_CHECK;

#endif
