/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/kernel_key.h"

#include <string.h>

#include "base/array.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/names/dump_names.h"
#include "dumpfilter/names/module_names.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "kdump/storage/key_search.h"

#define NAME_SIZE 128 /* DM_NAME_LEN */
#define NODES_MAX 4096u

/* The running kernel, or a dump, opened for looking up names. */
struct kernel {
	struct vmcore *vmcore;
	struct vmcoreinfo info;
	struct address_space space;
	struct dump_names names;
	struct module_names *dm, *crypt; /* NULL: built into the kernel */
};

static void kernel_close(struct kernel *kernel)
{
	module_names_close(kernel->crypt);
	module_names_close(kernel->dm);
	dump_names_release(&kernel->names);
	address_space_release(&kernel->space);
	vmcore_close(kernel->vmcore);
}
static inline void kernel_close_cleanup(struct kernel *kernel)
{
	kernel_close(kernel);
}

static struct kd_error *kernel_open(struct kernel *kernel, const char *path)
{
	struct kd_error *err = vmcore_open(path, &kernel->vmcore);

	if (err)
		return err;
	kernel->info.text = vmcore_vmcoreinfo(kernel->vmcore, &kernel->info.size);
	err = address_space_init(&kernel->space, kernel->vmcore, &kernel->info, NULL);
	if (!err)
		err = dump_names_open(&kernel->names, &kernel->space);
	if (!err)
		err = module_names_open(&kernel->space, &kernel->names.info, kernel->names.btf, "dm_mod", &kernel->dm);
	if (!err)
		err = module_names_open(&kernel->space, &kernel->names.info, kernel->names.btf, "dm_crypt",
					&kernel->crypt);
	return err;
}

static const struct debuginfo *info_of(const struct kernel *kernel, const struct module_names *module)
{
	return module ? module_names_info(module) : &kernel->names.info;
}

/* Read the pointer that is member @path of the struct @type at @vaddr. */
static struct kd_error *read_pointer(struct kernel *kernel, const struct module_names *module, const char *type,
				     const char *path, uint64_t vaddr, uint64_t *ret)
{
	struct type_member member;
	struct kd_error *err;

	if (!debuginfo_member(info_of(kernel, module), type, path, &member))
		return kd_error_create(KD_ERR_NOT_FOUND,
				       "this kernel does not tell where %s.%s lies (CONFIG_DEBUG_INFO_BTF_MODULES)",
				       type, path);
	err = address_space_read_u64(&kernel->space, vaddr + member.offset, ret);
	if (!err && !*ret)
		err = kd_error_create(KD_ERR_NOT_FOUND, "%s.%s is empty", type, path);
	return kd_error_wrap(err, "%s.%s", type, path);
}

/* --- from the name of a mapping to its cipher --------------------------------------------------------------------- */

/* The name at @vaddr may end a page. */
static void read_name(struct kernel *kernel, uint64_t vaddr, char name[static NAME_SIZE])
{
	size_t size = 4096 - vaddr % 4096;

	memset(name, 0, NAME_SIZE);
	if (size > NAME_SIZE - 1)
		size = NAME_SIZE - 1;
	if (!kd_error_discard(address_space_read(&kernel->space, vaddr, name, size)) && size < NAME_SIZE - 1 &&
	    !memchr(name, '\0', size))
		kd_error_destroy(address_space_read(&kernel->space, vaddr + size, name + size, NAME_SIZE - 1 - size));
}

/* The device mapper keeps its mappings in a tree, by name (Linux drivers/md/dm-ioctl.c, __get_name_cell()). Kernels
 * whose modules have no BTF, such as 5.10, kept them otherwise. *ret: the struct hash_cell. */
static struct kd_error *find_cell(struct kernel *kernel, const char *name, uint64_t *ret)
{
	const struct debuginfo *info = info_of(kernel, kernel->dm);
	struct type_member in_cell, left, right;
	uint64_t root, node;
	struct kd_error *err;

	if (!debuginfo_symbol(info, "name_rb_tree", &root))
		return kd_error_create(KD_ERR_NOT_FOUND, "this kernel does not tell where its mappings are "
							 "(name_rb_tree, CONFIG_KALLSYMS_ALL)");
	if (!debuginfo_member(info, "hash_cell", "name_node", &in_cell) ||
	    !debuginfo_member(info, "rb_node", "rb_left", &left) ||
	    !debuginfo_member(info, "rb_node", "rb_right", &right))
		return kd_error_create(KD_ERR_NOT_FOUND,
				       "this kernel does not describe its mappings (CONFIG_DEBUG_INFO_BTF_MODULES)");
	err = address_space_read_u64(&kernel->space, root, &node); /* struct rb_root is a pointer */
	for (unsigned int i = 0; i < NODES_MAX && !err && node; i++) {
		uint64_t cell = node - in_cell.offset, text;
		char this_name[NAME_SIZE];
		int order;

		err = read_pointer(kernel, kernel->dm, "hash_cell", "name", cell, &text);
		if (err)
			return err;
		read_name(kernel, text, this_name);
		order = strcmp(this_name, name);
		if (order == 0) {
			*ret = cell;
			return NULL;
		}
		err = address_space_read_u64(&kernel->space, node + (order < 0 ? right : left).offset, &node);
	}
	return err ? err : kd_error_create(KD_ERR_NOT_FOUND, "the kernel has no mapping %s", name);
}

/* The pointers on the way. */
static const struct step {
	bool crypt; /* a struct of dm_crypt, not of dm_mod */
	const char *type, *member;
} steps[] = {
	{ false, "hash_cell", "md" },
	{ false, "mapped_device", "map" },
	{ false, "dm_table", "targets" },  /* an array, of which an encrypted mapping has one */
	{ false, "dm_target", "private" }, /* struct crypt_config */
	{ true, "crypt_config", "cipher_tfm.tfms" },
};

static struct kd_error *find_cipher(struct kernel *kernel, const char *name, uint64_t *ret)
{
	uint64_t vaddr;
	struct kd_error *err = find_cell(kernel, name, &vaddr);

	for (size_t i = 0; i < ARRAY_SIZE(steps) && !err; i++)
		err = read_pointer(kernel, steps[i].crypt ? kernel->crypt : kernel->dm, steps[i].type, steps[i].member,
				   vaddr, &vaddr);
	if (!err)
		*ret = vaddr;
	return err;
}

/* --- from the cipher to its key ----------------------------------------------------------------------------------- */

struct search {
	struct kernel *kernel;
	bool (*is_key)(void *arg, const uint8_t *key, size_t size);
	void *arg;
};

/* Not through the window onto the vmcore, which would keep a copy. */
static bool read_memory(void *arg, uint64_t vaddr, void *buf, size_t size)
{
	struct search *search = arg;
	char *at = buf;

	while (size) {
		uint64_t paddr, length;

		if (kd_error_discard(address_space_translate(&search->kernel->space, vaddr, &paddr, &length)))
			return false;
		if (length > size)
			length = size;
		if (!length || kd_error_discard(vmcore_read(search->kernel->vmcore, paddr, at, length)))
			return false;
		vaddr += length;
		at += length;
		size -= length;
	}
	return true;
}

static bool is_key(void *arg, const uint8_t *key, size_t size)
{
	const struct search *search = arg;

	return search->is_key(search->arg, key, size);
}

/* What is read of /proc/kcore goes through a page that belongs to the open file (Linux fs/proc/kcore.c): something else
 * takes the place of the key there. */
static void overwrite_bounce_page(struct kernel *kernel)
{
	struct search search = { .kernel = kernel };
	uint64_t name;
	char page[4096];

	if (!kd_error_discard(address_space_find_name(&kernel->space, &name)))
		read_memory(&search, name & ~(uint64_t)(sizeof(page) - 1), page, sizeof(page));
}

struct kd_error *kernel_key_find(const char *vmcore, const char *name, size_t size,
				 bool (*is_right)(void *arg, const uint8_t *key, size_t size), void *arg, uint8_t *ret)
{
	_cleanup_(kernel_close) struct kernel kernel = { 0 };
	struct search context = { &kernel, is_right, arg };
	const struct key_search search = { read_memory, is_key, &context, size };
	struct kd_error *err;
	uint64_t cipher;

	if (size > KEY_SEARCH_MAX)
		return kd_error_create(KD_ERR_LIMIT, "a key of %zu bytes is longer than AES takes", size);
	err = kernel_open(&kernel, vmcore);
	if (!err)
		err = find_cipher(&kernel, name, &cipher);
	if (!err && !key_search(&search, cipher, ret))
		err = kd_error_create(KD_ERR_NOT_FOUND, "no key of AES for it was found");
	if (kernel.vmcore)
		overwrite_bounce_page(&kernel);
	return kd_error_wrap(err, "the kernel's memory (%s)", vmcore);
}
