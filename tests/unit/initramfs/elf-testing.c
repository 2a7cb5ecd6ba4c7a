/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/initramfs/elf-testing.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/testing.h"

/* A file that grows. */
struct bytes {
	uint8_t data[8192];
	size_t size;
};

static size_t put(struct bytes *bytes, const void *data, size_t size)
{
	size_t offset = bytes->size;

	assert_true(size <= sizeof(bytes->data) - offset);
	memcpy(bytes->data + offset, data, size);
	bytes->size += size;
	return offset;
}

static size_t put_string(struct bytes *bytes, const char *text)
{
	return put(bytes, text, strlen(text) + 1);
}

static void align(struct bytes *bytes)
{
	static const uint8_t zeros[8];

	put(bytes, zeros, -bytes->size & 7);
}

static void hand_over(const struct bytes *bytes, void **ret, size_t *size_ret)
{
	*ret = malloc(bytes->size);
	assert_non_null(*ret);
	memcpy(*ret, bytes->data, bytes->size);
	*size_ret = bytes->size;
}

/* Calls put_string() for each word of @words; its offset goes to @offsets. */
static size_t put_words(struct bytes *bytes, const char *words, bool blanks, size_t *offsets)
{
	char *copy = strdup(words), *word, *rest = copy;
	size_t count = 0;

	while ((word = strsep(&rest, " "))) {
		char *p;

		if (!*word)
			continue;
		for (p = word; blanks && (p = strchr(p, '+'));)
			*p = ' ';
		assert_true(count < 16);
		offsets[count++] = put_string(bytes, word);
	}
	free(copy);
	return count;
}

static Elf64_Ehdr elf_header(uint16_t type)
{
	return (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = type,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_shentsize = sizeof(Elf64_Shdr),
	};
}

enum { SECTION_NULL, SECTION_MODINFO, SECTION_KSYMTAB, SECTION_SYMTAB, SECTION_STRTAB, SECTION_NAMES, SECTION_COUNT };

void module_make(const char *modinfo, const char *exports, const char *imports, void **ret, size_t *size_ret)
{
	Elf64_Ehdr ehdr = elf_header(ET_REL);
	Elf64_Shdr section[SECTION_COUNT] = { 0 };
	struct bytes file = { 0 }, names = { 0 }, strings = { 0 };
	Elf64_Sym symbol[17] = { 0 };
	size_t offset[16], count, i;

	put(&file, &ehdr, sizeof(ehdr));
	section[SECTION_MODINFO].sh_offset = file.size;
	put_words(&file, modinfo, true, offset);
	section[SECTION_KSYMTAB].sh_offset = file.size;
	put_words(&file, exports, false, offset);
	put_string(&strings, "");
	count = put_words(&strings, imports, false, offset);
	for (i = 0; i < count; i++) {
		symbol[i + 1].st_name = offset[i];
		symbol[i + 1].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE);
	}
	section[SECTION_STRTAB].sh_offset = put(&file, strings.data, strings.size);
	put_string(&names, "");
	section[SECTION_MODINFO].sh_name = put_string(&names, ".modinfo");
	section[SECTION_KSYMTAB].sh_name = put_string(&names, "__ksymtab_strings");
	section[SECTION_SYMTAB].sh_name = put_string(&names, ".symtab");
	section[SECTION_STRTAB].sh_name = put_string(&names, ".strtab");
	section[SECTION_NAMES].sh_name = put_string(&names, ".shstrtab");
	section[SECTION_NAMES].sh_offset = put(&file, names.data, names.size);
	align(&file);
	section[SECTION_SYMTAB].sh_offset = put(&file, symbol, (count + 1) * sizeof(*symbol));
	ehdr.e_shoff = file.size;
	ehdr.e_shnum = SECTION_COUNT;
	ehdr.e_shstrndx = SECTION_NAMES;
	section[SECTION_MODINFO].sh_size = section[SECTION_KSYMTAB].sh_offset - section[SECTION_MODINFO].sh_offset;
	section[SECTION_KSYMTAB].sh_size = section[SECTION_STRTAB].sh_offset - section[SECTION_KSYMTAB].sh_offset;
	section[SECTION_STRTAB].sh_size = strings.size;
	section[SECTION_NAMES].sh_size = names.size;
	section[SECTION_SYMTAB].sh_size = (count + 1) * sizeof(*symbol);
	section[SECTION_SYMTAB].sh_entsize = sizeof(*symbol);
	section[SECTION_SYMTAB].sh_link = SECTION_STRTAB;
	for (i = 1; i < SECTION_COUNT; i++)
		section[i].sh_type = i == SECTION_SYMTAB ? SHT_SYMTAB : i >= SECTION_STRTAB ? SHT_STRTAB : SHT_PROGBITS;
	put(&file, section, sizeof(section));
	memcpy(file.data, &ehdr, sizeof(ehdr));
	hand_over(&file, ret, size_ret);
}

void program_make(const char *interpreter, const char *rpath, const char *runpath, const char *needed, bool elf64,
		  void **ret, size_t *size_ret)
{
	Elf64_Ehdr ehdr = elf_header(ET_DYN);
	Elf64_Phdr phdr[3] = { 0 };
	Elf64_Dyn dynamic[20] = { 0 };
	struct bytes file = { 0 };
	size_t offset[16], strings, count, i, n = 0, phnum = interpreter ? 3 : 2;

	/* Loaded at 0x1000, so that addresses and file offsets differ. */
	put(&file, &ehdr, sizeof(ehdr));
	put(&file, phdr, sizeof(phdr));
	strings = put_string(&file, "");
	phdr[2].p_offset = put_string(&file, interpreter ? interpreter : "");
	phdr[2].p_filesz = file.size - phdr[2].p_offset;
	phdr[2].p_type = PT_INTERP;
	dynamic[n++] = (Elf64_Dyn){ .d_tag = DT_STRTAB, .d_un.d_ptr = 0x1000 + strings };
	if (rpath)
		dynamic[n++] = (Elf64_Dyn){ DT_RPATH, { put_string(&file, rpath) - strings } };
	if (runpath)
		dynamic[n++] = (Elf64_Dyn){ DT_RUNPATH, { put_string(&file, runpath) - strings } };
	count = put_words(&file, needed, false, offset);
	for (i = 0; i < count; i++)
		dynamic[n++] = (Elf64_Dyn){ DT_NEEDED, { offset[i] - strings } };
	align(&file);
	phdr[1].p_type = PT_DYNAMIC;
	phdr[1].p_filesz = ++n * sizeof(*dynamic);
	phdr[1].p_offset = put(&file, dynamic, phdr[1].p_filesz);
	phdr[0].p_type = PT_LOAD;
	phdr[0].p_vaddr = 0x1000;
	phdr[0].p_filesz = file.size;
	ehdr.e_phoff = sizeof(ehdr);
	ehdr.e_phnum = phnum;
	if (!elf64) /* only its head is ever looked at */
		ehdr.e_ident[EI_CLASS] = ELFCLASS32;
	memcpy(file.data, &ehdr, sizeof(ehdr));
	memcpy(file.data + sizeof(ehdr), phdr, phnum * sizeof(*phdr));
	hand_over(&file, ret, size_ret);
}

void static_program_make(const char *text, void **ret, size_t *size_ret)
{
	Elf64_Ehdr ehdr = elf_header(ET_EXEC);
	Elf64_Phdr phdr = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000 };
	struct bytes file = { 0 };

	ehdr.e_phoff = sizeof(ehdr);
	ehdr.e_phnum = 1;
	phdr.p_filesz = phdr.p_memsz = sizeof(ehdr) + sizeof(phdr) + strlen(text);
	put(&file, &ehdr, sizeof(ehdr));
	put(&file, &phdr, sizeof(phdr));
	put(&file, text, strlen(text));
	hand_over(&file, ret, size_ret);
}
