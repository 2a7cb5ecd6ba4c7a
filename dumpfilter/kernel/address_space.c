/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/kernel/address_space.h"

#include <stdlib.h>
#include <string.h>

#include "base/elf64.h"
#include "dumpfilter/kernel/arch.h"
#include "dumpfilter/kernel/page_table.h"

/* Reads from here on go through a mapping; for small ones that would cost more than it saves. */
#define MAPPED_READ_MIN (64u << 10)
/* Ranges walked that are remembered: enough for the tables of many TiB; the list must not grow without bound. */
#define WALKED_MAX 16384u

static void remember(const struct address_space *space, struct kd_ranges *frames, uint64_t paddr, uint64_t size)
{
	uint64_t start = paddr & ~(space->page_size - 1);
	uint64_t end = (paddr + size + space->page_size - 1) & ~(space->page_size - 1);

	/* A lack of memory costs the early place in the dump, nothing else. */
	if (end > start && frames->count < WALKED_MAX)
		(void)!kd_ranges_add(frames, start, end);
}

struct kd_error *address_space_table(struct address_space *space, unsigned int level, uint64_t paddr,
				     const uint64_t **ret)
{
	struct table_cache *cache = &space->cache[level];
	struct kd_error *err;

	if (!cache->entry) {
		cache->entry = malloc(space->page_size);
		if (!cache->entry)
			return kd_error_nomem();
	}
	if (!cache->valid || cache->paddr != paddr) {
		cache->valid = false;
		err = vmcore_read(space->vmcore, paddr, cache->entry, space->page_size);
		if (err) {
			space->failed = paddr;
			return err;
		}
		cache->paddr = paddr;
		cache->valid = true;
		remember(space, &space->walked, paddr, space->page_size);
	}
	*ret = cache->entry;
	return NULL;
}

static bool in_image(const struct paging *paging, uint64_t vaddr)
{
	return vaddr >= paging->image_base && vaddr - paging->image_base < paging->image_size;
}

struct kd_error *address_space_translate(struct address_space *space, uint64_t vaddr, uint64_t *paddr_ret,
					 uint64_t *size_ret)
{
	const struct paging *paging = &space->paging;

	if (in_image(paging, vaddr)) {
		*paddr_ret = vaddr - paging->image_base + paging->image_paddr;
		*size_ret = paging->image_size - (vaddr - paging->image_base);
		return NULL;
	}
	if (!paging->levels)
		return kd_error_create(KD_ERR_HOLE, "virtual address 0x%lx: the page tables are not known", vaddr);
	return page_table_walk(space, vaddr, paddr_ret, size_ret);
}

static struct kd_error *read_paddr(struct address_space *space, uint64_t paddr, void *buf, size_t size)
{
	struct kd_error *err;
	const uint8_t *data;

	if (size < MAPPED_READ_MIN || size > VMCORE_WINDOW_MAX ||
	    !kd_ranges_contain(vmcore_contents(space->vmcore), paddr, paddr + size))
		return vmcore_read(space->vmcore, paddr, buf, size);
	err = vmcore_window_get(&space->window, paddr, size, buf, &data);
	if (!err && data != buf)
		memcpy(buf, data, size);
	return err;
}

struct kd_error *address_space_read_into(struct address_space *space, uint64_t vaddr, void *buf, size_t size,
					 struct kd_ranges *frames)
{
	uint8_t *out = buf;

	while (size > 0) {
		uint64_t paddr, piece;
		struct kd_error *err = address_space_translate(space, vaddr, &paddr, &piece);

		if (err)
			return err;
		if (piece > size)
			piece = size;
		err = read_paddr(space, paddr, out, piece);
		if (err) {
			space->failed = paddr;
			return kd_error_wrap(err, "virtual address 0x%lx", vaddr);
		}
		remember(space, frames, paddr, piece);
		vaddr += piece;
		out += piece;
		size -= piece;
	}
	return NULL;
}

struct kd_error *address_space_view(struct address_space *space, uint64_t vaddr, void *buf, size_t size,
				    struct kd_ranges *frames, const uint8_t **ret)
{
	uint64_t paddr, piece;
	struct kd_error *err = address_space_translate(space, vaddr, &paddr, &piece);

	if (!err && piece >= size && size <= VMCORE_WINDOW_MAX &&
	    kd_ranges_contain(vmcore_contents(space->vmcore), paddr, paddr + size)) {
		err = vmcore_window_get(&space->window, paddr, size, buf, ret);
		if (!err)
			remember(space, frames, paddr, size);
		return err;
	}
	kd_error_destroy(err);
	err = address_space_read_into(space, vaddr, buf, size, frames);
	if (!err)
		*ret = buf;
	return err;
}

/* All of [@paddr, @paddr + @size), or else those of its pages that the vmcore has. */
static void remember_contents(const struct address_space *space, struct kd_ranges *frames, uint64_t paddr,
			      uint64_t size)
{
	const struct kd_ranges *contents = vmcore_contents(space->vmcore);

	if (kd_ranges_contain(contents, paddr, paddr + size)) {
		remember(space, frames, paddr, size);
		return;
	}
	for (uint64_t done = 0, piece; done < size; done += piece) {
		piece = space->page_size - (paddr + done) % space->page_size;
		if (piece > size - done)
			piece = size - done;
		if (kd_ranges_contain(contents, paddr + done, paddr + done + piece))
			remember(space, frames, paddr + done, piece);
	}
}

void address_space_find_frames(struct address_space *space, uint64_t vaddr, size_t size, struct kd_ranges *frames)
{
	while (size > 0) {
		uint64_t paddr, piece;
		struct kd_error *err = address_space_translate(space, vaddr, &paddr, &piece);

		if (err)
			piece = space->page_size - vaddr % space->page_size;
		if (piece > size)
			piece = size;
		if (!err)
			remember_contents(space, frames, paddr, piece);
		kd_error_destroy(err);
		vaddr += piece;
		size -= piece;
	}
}

struct kd_error *address_space_read(struct address_space *space, uint64_t vaddr, void *buf, size_t size)
{
	return address_space_read_into(space, vaddr, buf, size, &space->walked);
}

struct kd_error *address_space_read_u32(struct address_space *space, uint64_t vaddr, uint32_t *ret)
{
	return address_space_read(space, vaddr, ret, sizeof(*ret));
}

struct kd_error *address_space_read_u64(struct address_space *space, uint64_t vaddr, uint64_t *ret)
{
	return address_space_read(space, vaddr, ret, sizeof(*ret));
}

static void visit_table(struct address_space *space, uint64_t paddr)
{
	remember(space, &space->walked, paddr, space->page_size);
}

/* The pages around @vaddr as far as a kernel stack reaches. */
static void visit_stack(struct address_space *space, uint64_t vaddr)
{
	uint64_t start = vaddr & ~(ADDRESS_SPACE_STACK - 1);

	for (uint64_t offset = 0, paddr, size; offset < ADDRESS_SPACE_STACK; offset += space->page_size) {
		struct kd_error *err = address_space_translate(space, start + offset, &paddr, &size);

		if (err)
			kd_error_destroy(err);
		else if (kd_ranges_contain(vmcore_contents(space->vmcore), paddr, paddr + space->page_size))
			remember(space, &space->walked, paddr, space->page_size);
	}
}

void address_space_walk_all(struct address_space *space)
{
	struct kd_elf64_note note;
	size_t size, offset = 0;
	const void *notes = vmcore_notes(space->vmcore, &size);
	uint64_t stack;

	page_table_visit(space, visit_table);
	while (kd_elf64_next_note(notes, size, &offset, &note))
		if (kd_elf64_note_is(&note, "CORE") && note.type == NT_PRSTATUS &&
		    space->arch->stack_pointer(&note, &stack))
			visit_stack(space, stack);
}

struct kd_error *address_space_find_name(const struct address_space *space, uint64_t *ret)
{
	/* It lies behind a reference count where the offset has no key of its own, which it got in 5.11 (ca4a9241cc5e
	 * "kdump: append uts_namespace.name offset to VMCOREINFO"). */
	uint64_t uts_ns, offset = 4;

	if (!vmcoreinfo_symbol(space->info, "init_uts_ns", &uts_ns))
		return kd_error_create(KD_ERR_FORMAT,
				       "VMCOREINFO does not say where the kernel's name is (no init_uts_ns)");
	vmcoreinfo_offset(space->info, "uts_namespace.name", &offset);
	*ret = uts_ns + offset;
	return NULL;
}

struct kd_error *address_space_read_name(struct address_space *space, struct kernel_name *ret)
{
	char name[6][65];
	uint64_t vaddr;
	struct kd_error *err = address_space_find_name(space, &vaddr);

	_Static_assert(sizeof(*ret) == sizeof(name), "six strings, no padding");
	if (!err)
		err = address_space_read(space, vaddr, name, sizeof(name));
	if (err)
		return kd_error_wrap(err, "the kernel's name");
	for (size_t i = 0; i < 6; i++)
		name[i][64] = '\0';
	memcpy(ret, name, sizeof(name));
	return NULL;
}

/* Wrong tables or a wrong base would not fail but yield rubbish: two known things are looked at first. */
static struct kd_error *validate(struct address_space *space)
{
	uint64_t stext, walked, by_formula, size;
	char release[65];
	struct kernel_name name;
	struct kd_error *err;

	if (vmcoreinfo_symbol(space->info, "_stext", &stext) && in_image(&space->paging, stext)) {
		err = page_table_walk(space, stext, &walked, &size);
		if (err)
			return kd_error_wrap(err, "the page tables do not map the kernel");
		err = address_space_translate(space, stext, &by_formula, &size);
		if (err)
			return err;
		if (walked != by_formula)
			return kd_error_create(KD_ERR_FORMAT,
					       "the page tables map the kernel to 0x%lx, but it is at 0x%lx", walked,
					       by_formula);
	}
	err = address_space_read_name(space, &name);
	if (err)
		return err;
	if (strcmp(name.sysname, "Linux") != 0)
		return kd_error_create(KD_ERR_FORMAT, "init_uts_ns does not hold a kernel name: wrong page tables?");
	if (vmcoreinfo_get_string(space->info, "OSRELEASE", release, sizeof(release)) &&
	    strcmp(release, name.release) != 0)
		return kd_error_create(KD_ERR_FORMAT, "the kernel's name is %s in memory, but %s in VMCOREINFO",
				       name.release, release);
	return NULL;
}

struct kd_error *address_space_init(struct address_space *space, const struct vmcore *vmcore,
				    const struct vmcoreinfo *info, const struct kd_log *log)
{
	uint64_t page_size = PAGE_SIZE_MIN;
	struct kd_error *err;

	*space = (struct address_space){
		.vmcore = vmcore,
		.info = info,
		.log = log,
		.arch = arch_find(vmcore_machine(vmcore)),
		.page_size = PAGE_SIZE_MIN,
	};
	vmcore_window_init(&space->window, vmcore);
	/* Every byte of the struct pages is looked at once, so a mapping saves a copy. */
	space->window.no_mmap = !vmcore_in_memory(vmcore);
	if (!space->arch)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s: dumps of ELF machine %u are not supported",
				       vmcore_path(vmcore), vmcore_machine(vmcore));
	vmcoreinfo_decimal(info, "PAGESIZE", &page_size);
	if (page_size < PAGE_SIZE_MIN || page_size > PAGE_SIZE_MAX || (page_size & (page_size - 1)))
		return kd_error_create(KD_ERR_FORMAT,
				       "%s: VMCOREINFO says that a page has %lu bytes, which no kernel uses",
				       vmcore_path(vmcore), page_size);
	space->page_size = page_size;
	err = space->arch->setup(space);
	if (!err)
		err = validate(space);
	return kd_error_wrap(err, "%s", vmcore_path(vmcore));
}

void address_space_release(struct address_space *space)
{
	vmcore_window_release(&space->window);
	for (size_t i = 0; i < PAGE_TABLE_LEVELS_MAX; i++)
		free(space->cache[i].entry);
	kd_ranges_free(&space->walked);
	memset(space, 0, sizeof(*space));
}
