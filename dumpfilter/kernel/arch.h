/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The architectures: one row of operations, in one file, for each. All of them are built on every host, so that a dump
 *  can be worked on, and each of them tested, anywhere. */
#ifndef DUMPFILTER_KERNEL_ARCH_H
#define DUMPFILTER_KERNEL_ARCH_H

#include <stdint.h>

#include "base/elf64.h"
#include "base/error.h"
#include "dumpfilter/kernel/address_space.h"

/** The range of pfns that one section of the mem_map spans, and of all, where VMCOREINFO does not say. */
struct arch_section_bits {
	unsigned int section;
	unsigned int physical;
};

#define ARCH_NUMBERS_MAX 128u

enum entry_kind {
	ENTRY_NONE,
	ENTRY_TABLE, /* it leads to a table of the next level */
	ENTRY_LEAF,  /* it maps memory */
};

struct arch_ops {
	const char *machine; /* uname -m */
	uint16_t elf_machine;
	unsigned int page_size; /* if there is but one; 0: VMCOREINFO says */
	/* Physical memory that no kernel gives to its page allocator; may be empty. */
	struct kd_range boot_memory;

	/** Fill space->paging from VMCOREINFO (and the segments), its levels last. KD_ERR_FORMAT if something is
	 * missing. */
	struct kd_error *(*setup)(struct address_space *space);

	/** The kind of a page table's entry; @below: how many levels of tables are below this one. */
	enum entry_kind (*entry_kind)(uint64_t entry, unsigned int below);

	/** Where the stack was, from an NT_PRSTATUS note; false: not in the kernel. */
	bool (*stack_pointer)(const struct kd_elf64_note *prstatus, uint64_t *ret);

	/** The dump's phys_base field. */
	uint64_t (*phys_base)(const struct address_space *space);

	struct arch_section_bits (*section_bits)(const struct address_space *space);

	/** How far KASLR moved the kernel image, which its vmlinux has at @stext, by the vmcore's segments; 0: they do
	 *  not tell. NULL: no segment of this architecture does. */
	uint64_t (*image_move)(const struct vmcore *vmcore, uint64_t stext);

	/** Numbers of one boot, which no file has, as lines of VMCOREINFO: found by @info's symbols, as far as @info
	 *  lacks them. "": there are none. NULL: the architecture needs none. */
	void (*boot_numbers)(const struct vmcore *vmcore, const struct vmcoreinfo *info, char ret[ARCH_NUMBERS_MAX]);
};

extern const struct arch_ops arch_x86_64;
extern const struct arch_ops arch_aarch64;

/** NULL if the architecture is not known. */
const struct arch_ops *arch_find(uint16_t elf_machine);

#endif
