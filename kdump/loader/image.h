/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A kernel file: recognised, expanded if the whole file is compressed, and checked. */
#ifndef KDUMP_LOADER_IMAGE_H
#define KDUMP_LOADER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/loader/vmlinux.h"

/* A part of the file, borrowed. */
struct image_part {
	const uint8_t *data; /* NULL: there is none */
	size_t size;
};

#define KERNEL_HEADER_SIZE 0x290 /* what of the zero page comes from the kernel file, and what is before it */

struct kernel_image {
	char *path;
	const char *format;  /* "bzImage" */
	uint16_t machine;    /* EM_* */
	uint8_t *container;  /* the file, owned: a kernel, or a unified kernel image */
	uint8_t *expanded;   /* the kernel expanded, owned; NULL: the file is not compressed */
	const uint8_t *file; /* the kernel: in one of the two */
	size_t file_size;
	struct image_part initrd, ucode, cmdline; /* of a unified kernel image */
	struct image_part payload;                /* bzImage: the compressed vmlinux in it */
	const uint8_t *header;                    /* x86: the setup header, at its offset in a bzImage … */
	uint8_t made_header[KERNEL_HEADER_SIZE];  /* … and where it is if the format has none */
	struct vmlinux vmlinux;                   /* the kernel laid out; empty for a kernel that does this itself */

	const uint8_t *load; /* what goes into memory … */
	size_t load_size;
	uint64_t mem_size;  /* … and the memory it takes from its load address on; at least load_size */
	uint64_t align;     /* of the load address (a power of two) */
	uint64_t offset;    /* of the load address from the aligned one; less than align */
	uint64_t lowest;    /* lowest load address */
	uint64_t entry;     /* offset from the load address */
	size_t cmdline_max; /* without the NUL */
	bool five_level;    /* can start with 5-level paging on (x86) */
	bool uses_five;     /* will use it where the CPU has it (x86) */
	bool efi_kexec;     /* takes over EFI run-time services from another kernel (x86) */
};

/** Read and check @path below @root; of a unified kernel image, the kernel in it. Its other parts are found, too.
 *  KD_ERR_FORMAT: truncated, or not a kernel; KD_ERR_UNSUPPORTED: a kernel of a format or architecture that this loader
 *  cannot load. The text says what the file is and what to do. */
struct kd_error *kernel_image_read(const struct kd_sysroot *root, const char *path,
				   struct kernel_image *ret) MUST_CHECK;

/** As above, from memory. Takes @file (malloc) over, even on failure. */
struct kd_error *kernel_image_parse(const char *path, void *file, size_t size, struct kernel_image *ret) MUST_CHECK;

/** Make of a bzImage the kernel that is compressed in it: @image then has a vmlinux, and load, entry and sizes are of
 *  that. file stays what it is. KD_ERR_UNSUPPORTED: it is compressed in a way that this program cannot expand;
 *  KD_ERR_FORMAT: as vmlinux_parse(). @image is untouched then. */
struct kd_error *kernel_image_unpack(struct kernel_image *image) MUST_CHECK;

void kernel_image_free(struct kernel_image *image); /* zeroed is allowed */
static inline void kernel_image_free_cleanup(struct kernel_image *image)
{
	kernel_image_free(image);
}

/** Open a kernel or initramfs: a regular file, not empty, of at most @max bytes. KD_ERR_LIMIT: larger. */
struct kd_error *image_open_file(const struct kd_sysroot *root, const char *path, uint64_t max, int *fd_ret,
				 size_t *size_ret) MUST_CHECK;

#endif
