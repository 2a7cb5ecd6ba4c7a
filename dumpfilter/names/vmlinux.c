/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/names/vmlinux.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/elf64.h"
#include "base/text.h"
#include "dumpfilter/kernel/arch.h"
#include "dumpfilter/names/btf.h"
#include "dumpfilter/names/dwarf_types.h"

struct vmlinux {
	char *path;
	int fd;
	const uint8_t *map;
	uint64_t size;
	uint64_t section_count;
	const uint8_t *sections;
	const uint8_t *symbols;
	uint64_t symbol_count;
	const char *strings;
	uint64_t strings_size;
	uint64_t offset; /* KASLR */
	struct btf *btf;
	struct dwarf_types *dwarf;
	struct debuginfo info;
	char release[65];
	char build_id[41];
};

void vmlinux_close(struct vmlinux *vmlinux)
{
	if (!vmlinux)
		return;
	dwarf_types_close(vmlinux->dwarf);
	btf_destroy(vmlinux->btf);
	if (vmlinux->map)
		munmap((void *)vmlinux->map, vmlinux->size);
	if (vmlinux->fd >= 0)
		close(vmlinux->fd);
	free(vmlinux->path);
	free(vmlinux);
}

const char *vmlinux_path(const struct vmlinux *vmlinux)
{
	return vmlinux->path;
}

void vmlinux_move(struct vmlinux *vmlinux, uint64_t offset)
{
	vmlinux->offset = offset;
}

const struct debuginfo *vmlinux_debuginfo(const struct vmlinux *vmlinux)
{
	return &vmlinux->info;
}

const char *vmlinux_release(const struct vmlinux *vmlinux)
{
	return vmlinux->release;
}

const char *vmlinux_build_id(const struct vmlinux *vmlinux)
{
	return vmlinux->build_id;
}

unsigned int vmlinux_page_size(const struct vmlinux *vmlinux)
{
	const struct arch_ops *arch;
	Elf64_Ehdr ehdr;

	memcpy(&ehdr, vmlinux->map, sizeof(ehdr));
	arch = arch_find(ehdr.e_machine);
	return arch ? arch->page_size : 0;
}

/* [offset, offset + size) of the file; NULL if that is not within it. */
static const void *piece(const struct vmlinux *vmlinux, uint64_t offset, uint64_t size)
{
	return offset <= vmlinux->size && size <= vmlinux->size - offset ? vmlinux->map + offset : NULL;
}

static struct kd_error *map_file(struct vmlinux *vmlinux)
{
	struct stat st;
	void *map;

	vmlinux->fd = open(vmlinux->path, O_RDONLY | O_CLOEXEC);
	if (vmlinux->fd < 0 || fstat(vmlinux->fd, &st) < 0)
		return kd_error_os(errno, "%s", vmlinux->path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < sizeof(Elf64_Ehdr))
		return kd_error_create(KD_ERR_FORMAT, "%s is not an ELF file", vmlinux->path);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, vmlinux->fd, 0);
	if (map == MAP_FAILED)
		return kd_error_os(errno, "%s", vmlinux->path);
	vmlinux->map = map;
	vmlinux->size = (uint64_t)st.st_size;
	return NULL;
}

static struct kd_error *read_headers(struct vmlinux *vmlinux)
{
	Elf64_Ehdr ehdr;

	memcpy(&ehdr, vmlinux->map, sizeof(ehdr));
	if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0)
		return kd_error_create(KD_ERR_FORMAT,
				       "%s is not an ELF file: name the vmlinux, not the image that boots",
				       vmlinux->path);
	if (ehdr.e_ident[EI_CLASS] != ELFCLASS64 || ehdr.e_ident[EI_DATA] != ELFDATA2LSB)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s is not a 64-bit little-endian kernel", vmlinux->path);
	vmlinux->section_count = ehdr.e_shentsize == sizeof(Elf64_Shdr) ? ehdr.e_shnum : 0;
	vmlinux->sections = piece(vmlinux, ehdr.e_shoff, vmlinux->section_count * sizeof(Elf64_Shdr));
	if (!vmlinux->sections || !vmlinux->section_count)
		return kd_error_create(KD_ERR_FORMAT, "%s has no sections", vmlinux->path);
	return NULL;
}

static bool get_section(const struct vmlinux *vmlinux, uint64_t index, Elf64_Shdr *ret)
{
	if (index >= vmlinux->section_count)
		return false;
	memcpy(ret, vmlinux->sections + index * sizeof(*ret), sizeof(*ret));
	return ret->sh_type == SHT_NOBITS || piece(vmlinux, ret->sh_offset, ret->sh_size);
}

/* The name of a section; "" if it has none. */
static const char *section_name(const struct vmlinux *vmlinux, const Elf64_Shdr *section)
{
	Elf64_Ehdr ehdr;
	Elf64_Shdr names;

	memcpy(&ehdr, vmlinux->map, sizeof(ehdr));
	if (!get_section(vmlinux, ehdr.e_shstrndx, &names) || names.sh_type != SHT_STRTAB || names.sh_size == 0 ||
	    section->sh_name >= names.sh_size || vmlinux->map[names.sh_offset + names.sh_size - 1] != '\0')
		return "";
	return (const char *)vmlinux->map + names.sh_offset + section->sh_name;
}

static struct kd_error *read_symbols(struct vmlinux *vmlinux)
{
	Elf64_Shdr section, strings;

	for (uint64_t i = 0; i < vmlinux->section_count; i++) {
		if (!get_section(vmlinux, i, &section) || section.sh_type != SHT_SYMTAB ||
		    !get_section(vmlinux, section.sh_link, &strings) || strings.sh_type != SHT_STRTAB ||
		    strings.sh_size == 0 || vmlinux->map[strings.sh_offset + strings.sh_size - 1] != '\0')
			continue;
		vmlinux->symbols = vmlinux->map + section.sh_offset;
		vmlinux->symbol_count = section.sh_size / sizeof(Elf64_Sym);
		vmlinux->strings = (const char *)vmlinux->map + strings.sh_offset;
		vmlinux->strings_size = strings.sh_size;
		return NULL;
	}
	return kd_error_create(KD_ERR_FORMAT, "%s has no symbols: it was stripped", vmlinux->path);
}

/* As the file has it. */
static unsigned int find_unmoved(const struct vmlinux *vmlinux, const char *name, uint64_t *ret)
{
	unsigned int found = 0;

	for (uint64_t i = 0; i < vmlinux->symbol_count; i++) {
		Elf64_Sym symbol;

		memcpy(&symbol, vmlinux->symbols + i * sizeof(symbol), sizeof(symbol));
		if (symbol.st_shndx != SHN_UNDEF && symbol.st_name < vmlinux->strings_size &&
		    ELF64_ST_TYPE(symbol.st_info) <= STT_FUNC && strcmp(vmlinux->strings + symbol.st_name, name) == 0 &&
		    found++ == 0)
			*ret = symbol.st_value;
	}
	return found;
}

static unsigned int find_symbol(void *data, const char *name, uint64_t *ret)
{
	const struct vmlinux *vmlinux = data;
	unsigned int found = find_unmoved(vmlinux, name, ret);

	if (found)
		*ret += vmlinux->offset;
	return found;
}
static const struct symbols_ops vmlinux_symbols = { .find = find_symbol };

/* The file's bytes for the kernel's memory at @vaddr, and how many there are; NULL: none. */
static const char *contents(const struct vmlinux *vmlinux, uint64_t vaddr, uint64_t *size_ret)
{
	Elf64_Shdr section;

	for (uint64_t i = 0; i < vmlinux->section_count; i++) {
		if (!get_section(vmlinux, i, &section) || section.sh_type == SHT_NOBITS ||
		    !(section.sh_flags & SHF_ALLOC) || vaddr < section.sh_addr ||
		    vaddr - section.sh_addr >= section.sh_size)
			continue;
		*size_ret = section.sh_size - (vaddr - section.sh_addr);
		return (const char *)vmlinux->map + section.sh_offset + (vaddr - section.sh_addr);
	}
	return NULL;
}

/* "Linux version 6.1.0 (…". */
static void read_release(struct vmlinux *vmlinux)
{
	static const char start[] = "Linux version ";
	uint64_t vaddr, size, length = sizeof(start) - 1;
	const char *banner;

	if (!find_unmoved(vmlinux, "linux_banner", &vaddr) || !(banner = contents(vmlinux, vaddr, &size)) ||
	    size < length || memcmp(banner, start, length) != 0)
		return;
	banner += length;
	size -= length;
	for (length = 0; length < size && length < sizeof(vmlinux->release) - 1 && banner[length] > ' '; length++)
		vmlinux->release[length] = banner[length];
}

static void read_build_id(struct vmlinux *vmlinux)
{
	Elf64_Shdr section;

	for (uint64_t i = 0; i < vmlinux->section_count; i++) {
		struct kd_elf64_note note;
		size_t offset = 0;

		if (!get_section(vmlinux, i, &section) || section.sh_type != SHT_NOTE)
			continue;
		while (kd_elf64_next_note(vmlinux->map + section.sh_offset, section.sh_size, &offset, &note))
			if (kd_elf64_note_is(&note, "GNU") && note.type == NT_GNU_BUILD_ID &&
			    note.desc_size * 2 < sizeof(vmlinux->build_id))
				kd_hex(note.desc, note.desc_size, vmlinux->build_id);
	}
}

static struct kd_error *read_btf(struct vmlinux *vmlinux)
{
	Elf64_Shdr section;

	for (uint64_t i = 0; i < vmlinux->section_count; i++) {
		uint8_t *data;

		if (!get_section(vmlinux, i, &section) || section.sh_type == SHT_NOBITS ||
		    strcmp(section_name(vmlinux, &section), ".BTF") != 0)
			continue;
		data = malloc(section.sh_size ? section.sh_size : 1);
		if (!data)
			return kd_error_nomem();
		memcpy(data, vmlinux->map + section.sh_offset, section.sh_size);
		return btf_parse(data, section.sh_size, NULL, &vmlinux->btf);
	}
	return kd_error_create(KD_ERR_FORMAT, "it has no BTF either");
}

/* DWARF knows more (the types of variables), BTF is there more often. */
static struct kd_error *read_types(struct vmlinux *vmlinux, const struct kd_log *log)
{
	_cleanup_(kd_error_destroy) struct kd_error *problem = dwarf_types_open(vmlinux->fd, &vmlinux->dwarf);
	struct kd_error *err;

	if (!problem) {
		vmlinux->info.types = &dwarf_types_ops;
		vmlinux->info.types_data = vmlinux->dwarf;
		return NULL;
	}
	err = read_btf(vmlinux);
	if (err)
		return kd_error_wrap(err, "%s gives no types: %s", vmlinux->path, problem->text);
	kd_debug(log, "%s: its types are read from BTF: %s", vmlinux->path, problem->text);
	vmlinux->info.types = &btf_types;
	vmlinux->info.types_data = vmlinux->btf;
	return NULL;
}

struct kd_error *vmlinux_open(const char *path, const struct kd_log *log, struct vmlinux **ret)
{
	_cleanup_(vmlinux_close) struct vmlinux *vmlinux = calloc(1, sizeof(*vmlinux));
	struct kd_error *err;

	if (!vmlinux)
		return kd_error_nomem();
	vmlinux->fd = -1;
	vmlinux->path = strdup(path);
	if (!vmlinux->path)
		return kd_error_nomem();
	err = map_file(vmlinux);
	if (!err)
		err = read_headers(vmlinux);
	if (!err)
		err = read_symbols(vmlinux);
	if (!err)
		err = read_types(vmlinux, log);
	if (err)
		return err;
	vmlinux->info.symbols = &vmlinux_symbols;
	vmlinux->info.symbols_data = vmlinux;
	read_release(vmlinux);
	read_build_id(vmlinux);
	*ret = take_ptr(vmlinux);
	return NULL;
}
