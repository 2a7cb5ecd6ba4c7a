/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/elf_whole.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

struct file {
	const char *data;
	size_t size;
	const char *name;
};

static bool has(const struct file *file, uint64_t offset, uint64_t length)
{
	return offset <= file->size && length <= file->size - offset;
}

static struct kd_error *cut_off(const struct file *file)
{
	return kd_error_create(KD_ERR_FORMAT, "%s is cut off: install its package again", file->name);
}

/* The header of a file of 64 bits, little-endian, as the kernels are that kdump knows. */
static struct kd_error *read_header(const struct file *file, Elf64_Ehdr *ret)
{
	static const unsigned char ident[] = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB };

	if (file->size == 0)
		return kd_error_create(KD_ERR_FORMAT, "%s is empty: install its package again", file->name);
	if (!has(file, 0, sizeof(ident)) || memcmp(file->data, ident, sizeof(ident)) != 0)
		return kd_error_create(KD_ERR_FORMAT, "%s is not an ELF file of 64 bits: install its package again",
				       file->name);
	if (!has(file, 0, sizeof(*ret)))
		return cut_off(file);
	memcpy(ret, file->data, sizeof(*ret));
	return NULL;
}

struct kd_error *elf_whole_program(const void *data, size_t size, const char *name, uint16_t *machine_ret)
{
	const struct file file = { data, size, name };
	struct kd_error *err;
	bool loads = false;
	Elf64_Ehdr ehdr;

	err = read_header(&file, &ehdr);
	if (err)
		return err;
	if (ehdr.e_type != ET_EXEC && ehdr.e_type != ET_DYN)
		return kd_error_create(KD_ERR_FORMAT, "%s is not a program (ELF type %u)", name, ehdr.e_type);
	if (!has(&file, ehdr.e_phoff, (uint64_t)ehdr.e_phnum * sizeof(Elf64_Phdr)))
		return cut_off(&file);
	for (unsigned int i = 0; i < ehdr.e_phnum; i++) {
		Elf64_Phdr phdr;

		memcpy(&phdr, file.data + ehdr.e_phoff + i * sizeof(phdr), sizeof(phdr));
		if (phdr.p_type == PT_INTERP)
			return kd_error_create(KD_ERR_FORMAT,
					       "%s needs a loader and libraries, which the image does not have for it: "
					       "link it with -static",
					       name);
		if (!has(&file, phdr.p_offset, phdr.p_filesz))
			return cut_off(&file);
		loads = loads || phdr.p_type == PT_LOAD;
	}
	if (!loads)
		return kd_error_create(KD_ERR_FORMAT, "%s has nothing to run: install its package again", name);
	*machine_ret = ehdr.e_machine;
	return NULL;
}

struct kd_error *elf_whole_module(const void *data, size_t size, const char *name, uint16_t machine)
{
	const struct file file = { data, size, name };
	struct kd_error *err;
	uint64_t count;
	Elf64_Shdr shdr;
	Elf64_Ehdr ehdr;

	err = read_header(&file, &ehdr);
	if (err)
		return err;
	if (ehdr.e_type != ET_REL)
		return kd_error_create(KD_ERR_FORMAT, "%s is not a kernel module (ELF type %u)", name, ehdr.e_type);
	if (ehdr.e_machine != machine)
		return kd_error_create(KD_ERR_FORMAT,
				       "%s is a module for another architecture (ELF machine %u) than the capture "
				       "program (%u)",
				       name, ehdr.e_machine, machine);
	/* The table of sections is at the end of the file, and tells its own length if that is more than 16 bits. */
	if (!has(&file, ehdr.e_shoff, sizeof(shdr)))
		return cut_off(&file);
	memcpy(&shdr, file.data + ehdr.e_shoff, sizeof(shdr));
	count = ehdr.e_shnum ? ehdr.e_shnum : shdr.sh_size;
	if (count > file.size / sizeof(shdr) || !has(&file, ehdr.e_shoff, count * sizeof(shdr)))
		return cut_off(&file);
	for (uint64_t i = 0; i < count; i++) {
		memcpy(&shdr, file.data + ehdr.e_shoff + i * sizeof(shdr), sizeof(shdr));
		if (shdr.sh_type != SHT_NOBITS && shdr.sh_type != SHT_NULL && !has(&file, shdr.sh_offset, shdr.sh_size))
			return cut_off(&file);
	}
	return NULL;
}
