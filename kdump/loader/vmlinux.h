/* SPDX-License-Identifier: GPL-2.0-or-later */
/** An x86_64 kernel as its linker made it (vmlinux): an ELF file, which the bzImage has compressed inside it. There it
 *  is followed by a list of the places that change when the kernel runs at another virtual address (Linux
 *  arch/x86/boot/compressed/misc.c, handle_relocations(); arch/x86/tools/relocs.c). */
#ifndef KDUMP_LOADER_VMLINUX_H
#define KDUMP_LOADER_VMLINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** The kernel is mapped from here on: an address of its image minus this is the physical address it is linked for. */
#define VMLINUX_MAP UINT64_C(0xffffffff80000000)

/** The image must end in this many bytes from VMLINUX_MAP on, if it can move (CONFIG_RANDOMIZE_BASE). */
#define VMLINUX_MAP_SIZE ((uint64_t)1 << 30)

#define VMLINUX_ALIGN       ((uint64_t)2 << 20) /* head_64.S refuses to start elsewhere */
#define VMLINUX_CMDLINE_MAX 2047                /* COMMAND_LINE_SIZE without the NUL */

struct vmlinux {
	uint8_t *memory;   /* the image as it lies in memory, owned … */
	size_t size;       /* … and how much of it has contents; the kernel clears the rest (.bss, .brk) itself */
	uint64_t mem_size; /* all of it */
	uint64_t link;     /* the physical address it is linked for: a multiple of 2 MiB */
	uint64_t entry;    /* offset of startup_64 */
	bool movable;      /* it came with relocations */
	uint8_t *relocations;
	struct vmlinux_list {
		size_t first, count; /* in units of 32 bits */
	} add64, sub32, add32;       /* what is done to the numbers there */
};

/** Lay out the ELF file of @size bytes at @file, which is not changed. @path is for messages. KD_ERR_FORMAT: truncated,
 *  or its segments or relocations contradict each other; KD_ERR_UNSUPPORTED: an ELF file of another kind. */
struct kd_error *vmlinux_parse(const char *path, const uint8_t *file, size_t size, struct vmlinux *ret) MUST_CHECK;

/** Move a movable image @delta bytes up from the virtual address that it is linked for. Once only. */
void vmlinux_move(struct vmlinux *vmlinux, uint64_t delta);

void vmlinux_free(struct vmlinux *vmlinux); /* zeroed is allowed */
static inline void vmlinux_free_cleanup(struct vmlinux *vmlinux)
{
	vmlinux_free(vmlinux);
}

#endif
