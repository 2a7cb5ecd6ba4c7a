/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/elf64.h"

#include <string.h>

void kd_elf64_core_header(Elf64_Ehdr *ehdr, uint16_t machine, uint16_t phnum)
{
	*ehdr = (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = machine,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(*ehdr),
		.e_ehsize = sizeof(*ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = phnum,
	};
}

struct kd_error *kd_elf64_check_core(const Elf64_Ehdr *ehdr, const char *path)
{
	if (memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0)
		return kd_error_create(KD_ERR_FORMAT, "%s: not an ELF file", path);
	if (ehdr->e_ident[EI_CLASS] != ELFCLASS64 || ehdr->e_ident[EI_DATA] != ELFDATA2LSB)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s: not a 64-bit little-endian ELF file", path);
	if (ehdr->e_type != ET_CORE)
		return kd_error_create(KD_ERR_FORMAT, "%s: ELF type is %u, not ET_CORE (%u)", path, ehdr->e_type,
				       ET_CORE);
	if (ehdr->e_phentsize != sizeof(Elf64_Phdr) || ehdr->e_phnum == 0)
		return kd_error_create(
			KD_ERR_FORMAT,
			"%s: %u program headers of %u bytes each, but at least one of %zu bytes is expected", path,
			ehdr->e_phnum, ehdr->e_phentsize, sizeof(Elf64_Phdr));
	return NULL;
}

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

bool kd_elf64_next_note(const void *notes, size_t size, size_t *offset, struct kd_elf64_note *ret)
{
	const uint8_t *base = notes;
	Elf64_Nhdr nhdr;
	size_t left, name_size, desc_size;

	if (*offset > size || size - *offset < sizeof(nhdr))
		return false;
	memcpy(&nhdr, base + *offset, sizeof(nhdr));
	if (!nhdr.n_namesz && !nhdr.n_descsz)
		return false;
	left = size - *offset - sizeof(nhdr);
	name_size = align4(nhdr.n_namesz);
	if (name_size > left)
		return false;
	/* The last note's padding may lie past the end. */
	if (nhdr.n_descsz > left - name_size)
		return false;
	desc_size = align4(nhdr.n_descsz);
	*ret = (struct kd_elf64_note){
		.name = (const char *)base + *offset + sizeof(nhdr),
		.name_size = nhdr.n_namesz,
		.desc = base + *offset + sizeof(nhdr) + name_size,
		.desc_size = nhdr.n_descsz,
		.type = nhdr.n_type,
	};
	*offset += sizeof(nhdr) + name_size + desc_size;
	return true;
}

bool kd_elf64_note_is(const struct kd_elf64_note *note, const char *name)
{
	size_t length = strlen(name);

	return (note->name_size == length || note->name_size == length + 1) && memcmp(note->name, name, length) == 0;
}
