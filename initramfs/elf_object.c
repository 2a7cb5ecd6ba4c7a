/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/elf_object.h"

#include <stdlib.h>
#include <string.h>

#include <gelf.h>
#include <libelf.h>

static void elf_end_p(Elf **elf)
{
	elf_end(*elf);
}
#define _cleanup_elf_ __attribute__((cleanup(elf_end_p)))

/* A string table; @data is NULL if there is none. */
struct strings {
	const char *data;
	size_t size;
};

bool elf_object_probe(const void *data, size_t size)
{
	return size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0;
}

static struct kd_error *corrupt(const char *name, const char *what)
{
	return kd_error_create(KD_ERR_FORMAT, "%s is not a valid ELF file (%s)", name, what);
}

/* Copy of the NUL-terminated string at @offset. */
static struct kd_error *copy_string(const struct strings *strings, uint64_t offset, const char *name, char **ret)
{
	if (!strings->data || offset >= strings->size || !memchr(strings->data + offset, '\0', strings->size - offset))
		return corrupt(name, "string beyond its table");
	free(*ret);
	*ret = strdup(strings->data + offset);
	return *ret ? NULL : kd_error_nomem();
}

/* The first program header of @type. */
static bool find_segment(Elf *elf, size_t count, GElf_Word type, GElf_Phdr *ret)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (gelf_getphdr(elf, i, ret) && ret->p_type == type)
			return true;
	}
	return false;
}

/* Does the file have all the bytes that are loaded? libelf finds no program header if the file ends before the last
 * one. */
static bool is_whole(Elf *elf, const GElf_Ehdr *ehdr, size_t count, size_t size)
{
	GElf_Phdr phdr;

	if (count == 0 || (count != ehdr->e_phnum && ehdr->e_phnum != PN_XNUM))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!gelf_getphdr(elf, (int)i, &phdr) ||
		    (phdr.p_type == PT_LOAD && (phdr.p_offset > size || phdr.p_filesz > size - phdr.p_offset)))
			return false;
	return true;
}

/* The bytes of the file from @vaddr to the end of its segment. */
static struct strings file_at(Elf *elf, size_t count, uint64_t vaddr, const char *data, size_t size)
{
	size_t i;

	for (i = 0; i < count; i++) {
		GElf_Phdr phdr;

		if (!gelf_getphdr(elf, i, &phdr) || phdr.p_type != PT_LOAD || phdr.p_offset > size ||
		    phdr.p_filesz > size - phdr.p_offset || vaddr < phdr.p_vaddr ||
		    vaddr - phdr.p_vaddr >= phdr.p_filesz)
			continue;
		return (struct strings){ .data = data + phdr.p_offset + (vaddr - phdr.p_vaddr),
					 .size = phdr.p_filesz - (vaddr - phdr.p_vaddr) };
	}
	return (struct strings){ 0 };
}

static struct kd_error *parse_entry(const GElf_Dyn *dyn, const struct strings *strings, const char *name,
				    struct elf_object *object)
{
	_cleanup_free_ char *needed = NULL;
	struct kd_error *err;

	switch (dyn->d_tag) {
	case DT_RPATH:
		return copy_string(strings, dyn->d_un.d_val, name, &object->rpath);
	case DT_RUNPATH:
		return copy_string(strings, dyn->d_un.d_val, name, &object->runpath);
	case DT_NEEDED:
		err = copy_string(strings, dyn->d_un.d_val, name, &needed);
		return err ? err : names_add(&object->needed, needed, NULL);
	default:
		return NULL;
	}
}

static struct kd_error *parse_dynamic(Elf *elf, size_t count, const char *data, size_t size, const char *name,
				      struct elf_object *object)
{
	struct strings strings = { 0 };
	struct kd_error *err = NULL;
	Elf_Data *chunk;
	GElf_Phdr phdr;
	GElf_Dyn dyn;
	int i;

	if (!find_segment(elf, count, PT_DYNAMIC, &phdr))
		return NULL;
	chunk = elf_getdata_rawchunk(elf, phdr.p_offset, phdr.p_filesz, ELF_T_DYN);
	if (!chunk)
		return corrupt(name, "dynamic section");
	for (i = 0; gelf_getdyn(chunk, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		if (dyn.d_tag == DT_STRTAB)
			strings = file_at(elf, count, dyn.d_un.d_ptr, data, size);
	}
	for (i = 0; !err && gelf_getdyn(chunk, i, &dyn) && dyn.d_tag != DT_NULL; i++)
		err = parse_entry(&dyn, &strings, name, object);
	if (object->runpath) {
		free(object->rpath);
		object->rpath = NULL;
	}
	return err;
}

static struct kd_error *parse_interpreter(Elf *elf, size_t count, const char *data, size_t size, const char *name,
					  struct elf_object *object)
{
	GElf_Phdr phdr;

	if (!find_segment(elf, count, PT_INTERP, &phdr))
		return NULL;
	if (phdr.p_offset > size || phdr.p_filesz > size - phdr.p_offset)
		return corrupt(name, "interpreter beyond its end");
	return copy_string(&(struct strings){ data + phdr.p_offset, phdr.p_filesz }, 0, name, &object->interpreter);
}

struct kd_error *elf_object_parse(const void *data, size_t size, const char *name, struct elf_object *ret)
{
	_cleanup_(elf_object_free) struct elf_object object = { 0 };
	_cleanup_elf_ Elf *elf = NULL;
	struct kd_error *err;
	GElf_Ehdr ehdr;
	size_t count;

	elf_version(EV_CURRENT);
	/* libelf wants a writable image, but changes it only on elf_update(). */
	elf = elf_memory((char *)(uintptr_t)data, size);
	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &ehdr) || elf_getphdrnum(elf, &count) != 0)
		return corrupt(name, elf_errmsg(-1));
	if (!is_whole(elf, &ehdr, count, size))
		return kd_error_create(KD_ERR_FORMAT, "%s is cut off: install its package again", name);
	object.ident[0] = ehdr.e_ident[EI_CLASS];
	object.ident[1] = ehdr.e_ident[EI_DATA];
	object.machine = ehdr.e_machine;
	err = parse_interpreter(elf, count, data, size, name, &object);
	if (!err)
		err = parse_dynamic(elf, count, data, size, name, &object);
	if (err)
		return err;
	*ret = object;
	object = (struct elf_object){ 0 };
	return NULL;
}

void elf_object_free(struct elf_object *object)
{
	free(object->interpreter);
	free(object->rpath);
	free(object->runpath);
	names_free(&object->needed);
	*object = (struct elf_object){ 0 };
}

bool elf_object_accepts(const struct elf_object *object, const void *head, size_t size)
{
	const uint8_t *byte = head;
	uint16_t machine;

	if (size < ELF_OBJECT_HEAD_SIZE || !elf_object_probe(head, size))
		return false;
	machine = byte[EI_DATA] == ELFDATA2MSB ? byte[18] << 8 | byte[19] : byte[19] << 8 | byte[18];
	return byte[EI_CLASS] == object->ident[0] && byte[EI_DATA] == object->ident[1] && machine == object->machine;
}
