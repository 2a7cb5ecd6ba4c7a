/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/names/module_names.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfilter/names/dump_names.h"

/* A list that is longer than this does not end. */
#define MODULES_MAX      65536u
#define SYMBOLS_MAX      (1u << 20)
#define STRINGS_MAX      (UINT64_C(64) << 20)
#define MODULE_NAME_SIZE 56u

struct module_names {
	struct btf *btf;
	Elf64_Sym *symbol;
	uint32_t count;
	char *strings; /* terminated */
	uint64_t strings_size;
	struct debuginfo info;
};

void module_names_close(struct module_names *module)
{
	if (!module)
		return;
	btf_destroy(module->btf);
	free(module->symbol);
	free(module->strings);
	free(module);
}

const struct debuginfo *module_names_info(const struct module_names *module)
{
	return &module->info;
}

static unsigned int find_symbol(void *data, const char *name, uint64_t *ret)
{
	const struct module_names *module = data;
	unsigned int found = 0;

	for (uint32_t i = 0; i < module->count; i++) {
		const Elf64_Sym *symbol = &module->symbol[i];

		if (symbol->st_shndx != SHN_UNDEF && symbol->st_name < module->strings_size &&
		    strcmp(module->strings + symbol->st_name, name) == 0 && found++ == 0)
			*ret = symbol->st_value;
	}
	return found;
}
static const struct symbols_ops module_symbols = { .find = find_symbol };

/* A walk through the structs of a list: where the list is, and the members that are read on the way. */
struct walk {
	struct address_space *space;
	const struct debuginfo *kernel;
};

/* Read @size bytes of member @path of the struct @type at @vaddr. */
static struct kd_error *read_member(const struct walk *walk, const char *type, const char *path, uint64_t vaddr,
				    void *buf, size_t size)
{
	struct type_member member;

	if (!debuginfo_member(walk->kernel, type, path, &member))
		return kd_error_create(KD_ERR_NOT_FOUND, "this kernel has no %s.%s", type, path);
	return address_space_read(walk->space, vaddr + member.offset, buf, size);
}

/* The next element of the list at @head, of structs @type whose list_head is their first member @link, behind *vaddr
 * (0: the first). *vaddr is 0 at the end. */
static struct kd_error *next_element(const struct walk *walk, uint64_t head, const char *type, const char *link,
				     uint64_t *vaddr)
{
	struct type_member member;
	uint64_t next;
	struct kd_error *err;

	if (!debuginfo_member(walk->kernel, type, link, &member))
		return kd_error_create(KD_ERR_NOT_FOUND, "this kernel has no %s.%s", type, link);
	/* struct list_head begins with its pointer to the next. */
	err = address_space_read_u64(walk->space, *vaddr ? *vaddr + member.offset : head, &next);
	if (!err)
		*vaddr = next == head ? 0 : next - member.offset;
	return err;
}

static struct kd_error *find_module(const struct walk *walk, const char *name, uint64_t *ret)
{
	uint64_t head, module = 0;
	struct kd_error *err = NULL;

	if (!debuginfo_symbol(walk->kernel, "modules", &head))
		return kd_error_create(KD_ERR_NOT_FOUND, "the kernel has no symbol \"modules\"");
	for (unsigned int i = 0; i < MODULES_MAX && !err; i++) {
		char this_name[MODULE_NAME_SIZE + 1] = "";

		err = next_element(walk, head, "module", "list", &module);
		if (!err && module)
			err = read_member(walk, "module", "name", module, this_name, MODULE_NAME_SIZE);
		if (!err && (!module || strcmp(this_name, name) == 0)) {
			*ret = module;
			return NULL;
		}
	}
	return err ? err : kd_error_create(KD_ERR_FORMAT, "it has more than %u elements", MODULES_MAX);
}

static struct kd_error *read_symbols(const struct walk *walk, uint64_t vaddr, struct module_names *module)
{
	uint64_t kallsyms, symbols, strings;
	struct kd_error *err;
	char last;

	if ((err = read_member(walk, "module", "kallsyms", vaddr, &kallsyms, 8)) ||
	    (err = read_member(walk, "mod_kallsyms", "symtab", kallsyms, &symbols, 8)) ||
	    (err = read_member(walk, "mod_kallsyms", "num_symtab", kallsyms, &module->count, 4)) ||
	    (err = read_member(walk, "mod_kallsyms", "strtab", kallsyms, &strings, 8)))
		return err;
	if (module->count == 0 || module->count > SYMBOLS_MAX)
		return kd_error_create(KD_ERR_FORMAT, "%u symbols", module->count);
	module->symbol = calloc(module->count, sizeof(*module->symbol));
	if (!module->symbol)
		return kd_error_nomem();
	err = address_space_read(walk->space, symbols, module->symbol, module->count * sizeof(*module->symbol));
	if (err)
		return err;
	/* The strings end behind the name that begins last. */
	for (uint32_t i = 0; i < module->count; i++)
		if (module->symbol[i].st_name >= module->strings_size)
			module->strings_size = (uint64_t)module->symbol[i].st_name + 1;
	do {
		if (module->strings_size >= STRINGS_MAX)
			return kd_error_create(KD_ERR_FORMAT, "names of more than %lu bytes", STRINGS_MAX);
		err = address_space_read(walk->space, strings + module->strings_size - 1, &last, 1);
		if (err)
			return err;
		module->strings_size++;
	} while (last);
	module->strings = calloc(1, module->strings_size);
	if (!module->strings)
		return kd_error_nomem();
	return address_space_read(walk->space, strings, module->strings, module->strings_size - 1);
}

/* The kernel keeps a module's BTF in a list of its own. */
static struct kd_error *read_types(const struct walk *walk, const struct btf *base, uint64_t vaddr,
				   struct module_names *module)
{
	uint64_t head, element = 0, owner, btf, data;
	struct kd_error *err = NULL;
	uint32_t size;

	if (!base || !debuginfo_symbol(walk->kernel, "btf_modules", &head))
		return NULL;
	owner = !vaddr;
	for (unsigned int i = 0; i < MODULES_MAX && !err && owner != vaddr; i++) {
		err = next_element(walk, head, "btf_module", "list", &element);
		if (!err && !element)
			return NULL;
		if (!err)
			err = read_member(walk, "btf_module", "module", element, &owner, 8);
	}
	if (err || (err = read_member(walk, "btf_module", "btf", element, &btf, 8)) ||
	    (err = read_member(walk, "btf", "data", btf, &data, 8)) ||
	    (err = read_member(walk, "btf", "data_size", btf, &size, 4)))
		return err;
	return dump_names_read_btf(walk->space, data, size, base, &module->btf);
}

struct kd_error *module_names_open(struct address_space *space, const struct debuginfo *kernel,
				   const struct btf *kernel_btf, const char *name, struct module_names **ret)
{
	struct walk walk = { .space = space, .kernel = kernel };
	uint64_t vaddr = 0;
	struct kd_error *err = find_module(&walk, name, &vaddr);

	if (err)
		return kd_error_wrap(err, "the list of modules");
	if (!vaddr) {
		*ret = NULL;
		return NULL;
	}
	_cleanup_(module_names_close) struct module_names *module = calloc(1, sizeof(*module));
	if (!module)
		return kd_error_nomem();
	err = read_symbols(&walk, vaddr, module);
	if (err)
		return kd_error_wrap(err, "the symbols of module %s", name);
	err = read_types(&walk, kernel_btf, vaddr, module);
	if (err)
		return kd_error_wrap(err, "the types of module %s", name);
	module->info = *kernel;
	if (module->btf) {
		module->info.types = &btf_types;
		module->info.types_data = module->btf;
	}
	module->info.symbols = &module_symbols;
	module->info.symbols_data = module;
	*ret = take_ptr(module);
	return NULL;
}
