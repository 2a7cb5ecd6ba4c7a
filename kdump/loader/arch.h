/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The differences between architectures. Each is a struct loader_arch in a file arch_NAME.c, a row in arch.c's table,
 *  and a purgatory in purgatory/NAME/. */
#ifndef KDUMP_LOADER_ARCH_H
#define KDUMP_LOADER_ARCH_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/sysroot.h"

struct loader_image;
struct purgatory_params;

struct loader_arch {
	const char *name;      /* as in uname -m */
	uint16_t machine;      /* EM_*, of kernel images and of the elfcorehdr */
	uint64_t page;         /* segments consist of such pages */
	uint64_t highest;      /* segments must end below */
	uint64_t window;       /* all segments lie in one piece of memory of this size, aligned to 1 GiB; 0: anywhere */
	uint64_t low_reserved; /* memory below holds no data of the crashed kernel: not dumped, not used */
	bool elfcorehdr_on_cmdline;
	bool stops_devices;                       /* the purgatory can keep all devices from writing to memory */
	const uint8_t *purgatory, *purgatory_end; /* the code that runs between the kernels; NULL: not in this build */

	/** Is this PT_LOAD of /proc/kcore, whose program headers are @table, the kernel's image (and not the direct map
	 *  or vmalloc space)? */
	bool (*is_kernel_image)(const Elf64_Phdr *phdr, const Elf64_Phdr *table, size_t count);

	/** Can the kernel running on the machine at @root hand over to image->kernel, as image->policy says? */
	struct kd_error *(*check)(const struct kd_sysroot *root, const struct loader_image *image);

	/** Is the machine a guest whose memory is encrypted? NULL: none is known on this architecture. */
	struct kd_error *(*is_encrypted_guest)(const struct kd_sysroot *root, bool *ret);

	/** Can image->kernel be started without its decompressor? What only that would set up is the error's text.
	 *  NULL: kernels of this architecture are always started by their own program. */
	struct kd_error *(*check_fast)(const struct kd_sysroot *root, const struct loader_image *image);

	/** Build and place the segment that describes memory, command line and firmware to the kernel. Kernel,
	 *  initramfs and elfcorehdr must have their places. Sets image->boot_info and its address. */
	struct kd_error *(*place_boot_info)(const struct kd_sysroot *root, struct loader_image *image);

	/** Fill in how the purgatory of a kernel with this command line prints messages and resets the machine. */
	void (*find_ways_out)(const struct kd_sysroot *root, const char *cmdline, struct purgatory_params *params);

	/** Place a map of all addresses below identity_mapped, for a kernel that a capture kernel starts. NULL: none
	 *  does. */
	struct kd_error *(*place_identity_map)(struct loader_image *image);
	uint64_t identity_mapped;

	/** Print the boot info, read back from its bytes. */
	void (*print_boot_info)(const struct loader_image *image, FILE *out);
};

/** The row for an ELF machine number; NULL if there is none. */
const struct loader_arch *loader_arch_find(uint16_t machine);

/** The ELF machine number of the running system; EM_NONE if it is not in the table. */
uint16_t loader_arch_native(void);

extern const struct loader_arch loader_arch_x86_64;
extern const struct loader_arch loader_arch_aarch64; /* where libfdt is */

#endif
