/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/loader/vmlinux.h"

#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kdump/loader/le.h"

/* An ELF file, with headers copied out: they need not be aligned in it. */
struct elf {
	const char *path;
	const uint8_t *file;
	size_t size;
	Elf64_Ehdr ehdr;
	size_t end; /* of all that the headers name */
};

static struct kd_error *bad(const struct elf *elf, const char *what)
{
	return kd_error_create(KD_ERR_FORMAT, "kernel %s is damaged: %s; install the kernel again", elf->path, what);
}

/* Is @size at @offset inside the file? Then it belongs to the ELF file. */
static bool take_part(struct elf *elf, uint64_t offset, uint64_t size)
{
	if (offset > elf->size || size > elf->size - offset)
		return false;
	if (offset + size > elf->end)
		elf->end = offset + size;
	return true;
}

static struct kd_error *read_header(struct elf *elf)
{
	const unsigned char *ident = elf->ehdr.e_ident;

	if (!take_part(elf, 0, sizeof(elf->ehdr)))
		return bad(elf, "its ELF header is cut short");
	memcpy(&elf->ehdr, elf->file, sizeof(elf->ehdr));
	if (memcmp(ident, ELFMAG, SELFMAG) != 0 || ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB ||
	    elf->ehdr.e_machine != EM_X86_64 || elf->ehdr.e_type != ET_EXEC)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s is an ELF file, but not an x86_64 kernel (vmlinux)",
				       elf->path);
	if (elf->ehdr.e_phentsize != sizeof(Elf64_Phdr) ||
	    !take_part(elf, elf->ehdr.e_phoff, (uint64_t)elf->ehdr.e_phnum * sizeof(Elf64_Phdr)))
		return bad(elf, "its program headers are cut short");
	if (elf->ehdr.e_shnum && (elf->ehdr.e_shentsize != sizeof(Elf64_Shdr) ||
				  !take_part(elf, elf->ehdr.e_shoff, (uint64_t)elf->ehdr.e_shnum * sizeof(Elf64_Shdr))))
		return bad(elf, "its section headers are cut short");
	return NULL;
}

static void read_phdr(const struct elf *elf, unsigned int n, Elf64_Phdr *ret)
{
	memcpy(ret, elf->file + elf->ehdr.e_phoff + n * sizeof(*ret), sizeof(*ret));
}

static void read_shdr(const struct elf *elf, unsigned int n, Elf64_Shdr *ret)
{
	memcpy(ret, elf->file + elf->ehdr.e_shoff + n * sizeof(*ret), sizeof(*ret));
}

static bool is_text(const Elf64_Phdr *phdr)
{
	return phdr->p_vaddr == VMLINUX_MAP + phdr->p_paddr && phdr->p_paddr % VMLINUX_ALIGN == 0;
}

/* The PT_LOADs are in the order of their addresses, with the kernel's text first. */
static struct kd_error *measure(struct elf *elf, struct vmlinux *v)
{
	uint64_t end = 0;
	Elf64_Phdr phdr;

	for (unsigned int i = 0; i < elf->ehdr.e_phnum; i++) {
		read_phdr(elf, i, &phdr);
		if (phdr.p_type != PT_LOAD)
			continue;
		if (!end && !is_text(&phdr))
			return kd_error_create(KD_ERR_UNSUPPORTED,
					       "%s is an ELF file, but not a Linux kernel (vmlinux)", elf->path);
		if (!end)
			end = v->link = phdr.p_paddr;
		if (!take_part(elf, phdr.p_offset, phdr.p_filesz))
			return bad(elf, "it is shorter than its program headers say");
		if (phdr.p_paddr < end || phdr.p_filesz > phdr.p_memsz)
			return bad(elf, "its segments overlap");
		if (phdr.p_memsz > VMLINUX_MAP_SIZE || phdr.p_paddr - v->link > VMLINUX_MAP_SIZE - phdr.p_memsz)
			return bad(elf, "it takes more than 1 GiB of memory");
		end = phdr.p_paddr + phdr.p_memsz;
	}
	v->mem_size = end - v->link;
	if (!v->mem_size || elf->ehdr.e_entry < v->link || elf->ehdr.e_entry >= end)
		return bad(elf, "its entry point is outside of its segments");
	v->entry = elf->ehdr.e_entry - v->link;
	return NULL;
}

/* Is the section's name ".bss"? */
static bool is_bss(const struct elf *elf, const Elf64_Shdr *names, const Elf64_Shdr *shdr)
{
	return shdr->sh_type == SHT_NOBITS && shdr->sh_name < names->sh_size &&
	       names->sh_size - shdr->sh_name >= sizeof(".bss") &&
	       memcmp(elf->file + names->sh_offset + shdr->sh_name, ".bss", sizeof(".bss")) == 0;
}

/* Where the part with contents ends: at .bss, which the kernel clears itself (clear_bss()) since the decompressor
 * leaves it dirty. In the file of a bzImage it is full of zeros. */
static struct kd_error *find_bss(struct elf *elf, struct vmlinux *v)
{
	Elf64_Shdr names = { 0 }, shdr;

	v->size = v->mem_size;
	if (elf->ehdr.e_shstrndx < elf->ehdr.e_shnum)
		read_shdr(elf, elf->ehdr.e_shstrndx, &names);
	if (names.sh_type != SHT_STRTAB || !take_part(elf, names.sh_offset, names.sh_size))
		names.sh_size = 0;
	for (unsigned int i = 0; i < elf->ehdr.e_shnum; i++) {
		read_shdr(elf, i, &shdr);
		if (shdr.sh_type != SHT_NOBITS && shdr.sh_type != SHT_NULL &&
		    !take_part(elf, shdr.sh_offset, shdr.sh_size))
			return bad(elf, "it is shorter than its section headers say");
		if (is_bss(elf, &names, &shdr) && shdr.sh_addr > VMLINUX_MAP + v->link + v->entry &&
		    shdr.sh_addr - VMLINUX_MAP - v->link < v->size)
			v->size = shdr.sh_addr - VMLINUX_MAP - v->link;
	}
	return NULL;
}

static struct kd_error *fill(const struct elf *elf, struct vmlinux *v)
{
	Elf64_Phdr phdr;

	v->memory = calloc(1, v->size);
	if (!v->memory)
		return kd_error_nomem();
	for (unsigned int i = 0; i < elf->ehdr.e_phnum; i++) {
		uint64_t at, size;

		read_phdr(elf, i, &phdr);
		if (phdr.p_type != PT_LOAD)
			continue;
		at = phdr.p_paddr - v->link;
		if (at >= v->size)
			continue;
		size = phdr.p_filesz < v->size - at ? phdr.p_filesz : v->size - at;
		memcpy(v->memory + at, elf->file + phdr.p_offset, size);
	}
	return NULL;
}

/* The offset of an entry's place in the image. The entry is the low half of its virtual address. */
static uint64_t place_of(const struct vmlinux *v, size_t n)
{
	return (uint64_t)(int64_t)(int32_t)get_le32(v->relocations + n * 4) - VMLINUX_MAP - v->link;
}

/* Does the list have its entries in ascending order, all inside the image? */
static bool check_list(const struct vmlinux *v, const struct vmlinux_list *list, size_t width)
{
	uint64_t lowest = 0;

	for (size_t i = 0; i < list->count; i++) {
		uint64_t place = place_of(v, list->first + i);

		if (place < lowest || place >= v->size || v->size - place < width)
			return false;
		lowest = place + 1;
	}
	return true;
}

/* The numbers that are changed are addresses of the image, virtual or physical. Lists of another meaning would not have
 * these. */
static bool check_addresses(const struct vmlinux *v, const struct vmlinux_list *list, size_t width)
{
	for (size_t i = 0; i < list->count; i++) {
		const uint8_t *at = v->memory + place_of(v, list->first + i);
		uint64_t value = width == 8 ? get_le64(at) : (uint64_t)(int64_t)(int32_t)get_le32(at);

		if (value >= VMLINUX_MAP_SIZE && (value < VMLINUX_MAP || value - VMLINUX_MAP >= VMLINUX_MAP_SIZE))
			return false;
	}
	return true;
}

/* 0, places of 64-bit addresses, 0, places of 32-bit numbers that the address is subtracted from, 0, places of 32-bit
 * addresses. Kernels whose per-CPU variables are linked like all others (Linux 6.15, "x86/percpu/64: Use relative
 * percpu offsets") have no second list. */
static bool split_lists(struct vmlinux *v, size_t count)
{
	size_t zero[3], zeros = 0;

	for (size_t i = 0; i < count; i++) {
		if (get_le32(v->relocations + i * 4) != 0)
			continue;
		if (zeros == 3)
			return false;
		zero[zeros++] = i;
	}
	if (zeros < 2 || zero[0] != 0)
		return false;
	v->add64 = (struct vmlinux_list){ 1, zero[1] - 1 };
	if (zeros == 3)
		v->sub32 = (struct vmlinux_list){ zero[1] + 1, zero[2] - zero[1] - 1 };
	v->add32 = (struct vmlinux_list){ zero[zeros - 1] + 1, count - zero[zeros - 1] - 1 };
	return true;
}

static struct kd_error *read_relocations(const struct elf *elf, struct vmlinux *v)
{
	size_t size = elf->size - elf->end;

	if (!size)
		return NULL;
	v->relocations = malloc(size);
	if (!v->relocations)
		return kd_error_nomem();
	memcpy(v->relocations, elf->file + elf->end, size);
	if (size % 4 || !split_lists(v, size / 4) || !v->add64.count || !v->add32.count ||
	    !check_list(v, &v->add64, 8) || !check_list(v, &v->sub32, 4) || !check_list(v, &v->add32, 4) ||
	    !check_addresses(v, &v->add64, 8) || !check_addresses(v, &v->add32, 4))
		return kd_error_create(KD_ERR_FORMAT, "the relocations of kernel %s are of an unknown form", elf->path);
	v->movable = true;
	return NULL;
}

struct kd_error *vmlinux_parse(const char *path, const uint8_t *file, size_t size, struct vmlinux *ret)
{
	_cleanup_(vmlinux_free) struct vmlinux v = { 0 };
	struct elf elf = { .path = path, .file = file, .size = size };
	struct kd_error *err;

	err = read_header(&elf);
	if (!err)
		err = measure(&elf, &v);
	if (!err)
		err = find_bss(&elf, &v);
	if (!err)
		err = fill(&elf, &v);
	if (!err)
		err = read_relocations(&elf, &v);
	if (err)
		return err;
	*ret = v;
	v = (struct vmlinux){ 0 };
	return NULL;
}

void vmlinux_move(struct vmlinux *v, uint64_t delta)
{
	uint8_t *at;

	for (size_t i = 0; i < v->add64.count; i++) {
		at = v->memory + place_of(v, v->add64.first + i);
		put_le64(at, get_le64(at) + delta);
	}
	for (size_t i = 0; i < v->sub32.count; i++) {
		at = v->memory + place_of(v, v->sub32.first + i);
		put_le32(at, get_le32(at) - (uint32_t)delta);
	}
	for (size_t i = 0; i < v->add32.count; i++) {
		at = v->memory + place_of(v, v->add32.first + i);
		put_le32(at, get_le32(at) + (uint32_t)delta);
	}
}

void vmlinux_free(struct vmlinux *v)
{
	free(v->memory);
	free(v->relocations);
	*v = (struct vmlinux){ 0 };
}
