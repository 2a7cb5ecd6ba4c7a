/* SPDX-License-Identifier: GPL-2.0-or-later */
/** An uncompressed kernel made up for tests: two segments, a .bss, and relocations as its build appends them. */
#ifndef TESTS_UNIT_KDUMP_VMLINUX_H
#define TESTS_UNIT_KDUMP_VMLINUX_H

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "kdump/loader/le.h"

#define VMLINUX_LINK  0x1000000
#define VMLINUX_ENTRY 0x40 /* from there on */
#define VMLINUX_BSS   0x201000
#define VMLINUX_TOTAL 0x204000

/* Where numbers are that relocations change. */
#define VMLINUX_ADD64  0x100
#define VMLINUX_ADD32  0x200
#define VMLINUX_SUB32  0x200300
#define VMLINUX_NUMBER 0x12345 /* of the image, as an offset */

#define VMLINUX_ELF_SIZE (0x4100 + 3 * sizeof(Elf64_Shdr))

/** 0 for a kernel that cannot move, 2 for one since Linux 6.15, 3 for an older one. */
struct made_vmlinux {
	uint8_t byte[VMLINUX_ELF_SIZE + 64];
	size_t size;
};

static inline void put_relocation(struct made_vmlinux *v, uint32_t value)
{
	put_le32(v->byte + v->size, value);
	v->size += 4;
}

static inline void make_relocations(struct made_vmlinux *v, unsigned int lists)
{
	v->size = VMLINUX_ELF_SIZE;
	if (!lists)
		return;
	put_relocation(v, 0);
	put_relocation(v, 0x80000000 + VMLINUX_LINK + VMLINUX_ADD64);
	put_relocation(v, 0);
	if (lists == 3) {
		put_relocation(v, 0x80000000 + VMLINUX_LINK + VMLINUX_SUB32);
		put_relocation(v, 0);
	}
	put_relocation(v, 0x80000000 + VMLINUX_LINK + VMLINUX_ADD32);
	put_relocation(v, 0x80000000 + VMLINUX_LINK + VMLINUX_ADD32 + 8);
}

static inline void make_vmlinux(struct made_vmlinux *v, unsigned int lists)
{
	static const char names[] = "\0.bss\0.shstrtab";
	Elf64_Ehdr ehdr = { .e_ident = ELFMAG,
			    .e_type = ET_EXEC,
			    .e_machine = EM_X86_64,
			    .e_entry = VMLINUX_LINK + VMLINUX_ENTRY,
			    .e_phoff = 64,
			    .e_shoff = 0x4100,
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = 2,
			    .e_shentsize = sizeof(Elf64_Shdr),
			    .e_shnum = 3,
			    .e_shstrndx = 2 };
	Elf64_Phdr phdr[2] = {
		{ PT_LOAD, PF_R | PF_X, 0x1000, 0xffffffff81000000, VMLINUX_LINK, 0x2000, 0x2000, 0x200000 },
		/* As objcopy leaves it: .bss has bytes in the file. */
		{ PT_LOAD, PF_R | PF_W, 0x3000, 0xffffffff81200000, VMLINUX_LINK + 0x200000, 0x1000, 0x4000, 0x200000 },
	};
	Elf64_Shdr shdr[3] = {
		{ 0 },
		{ .sh_name = 1, .sh_type = SHT_NOBITS, .sh_addr = 0xffffffff81000000 + VMLINUX_BSS, .sh_size = 0x3000 },
		{ .sh_name = 6, .sh_type = SHT_STRTAB, .sh_offset = 0x4000, .sh_size = sizeof(names) },
	};

	memset(v, 0, sizeof(*v));
	ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(v->byte, &ehdr, sizeof(ehdr));
	memcpy(v->byte + 64, phdr, sizeof(phdr));
	memcpy(v->byte + 0x4000, names, sizeof(names));
	memcpy(v->byte + 0x4100, shdr, sizeof(shdr));
	memcpy(v->byte + 0x1000 + VMLINUX_ENTRY, "startup_64", 10);
	put_le64(v->byte + 0x1000 + VMLINUX_ADD64, 0xffffffff81000000 + VMLINUX_NUMBER);
	put_le32(v->byte + 0x1000 + VMLINUX_ADD32, 0x81000000 + VMLINUX_NUMBER);
	put_le32(v->byte + 0x1000 + VMLINUX_ADD32 + 8, VMLINUX_LINK + VMLINUX_NUMBER); /* a physical address */
	put_le32(v->byte + 0x3300, 0x7e000000);
	make_relocations(v, lists);
}

#endif
