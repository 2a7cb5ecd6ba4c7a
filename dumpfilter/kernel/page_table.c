/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/kernel/page_table.h"

#include "dumpfilter/kernel/arch.h"

#define VISIT_MAX (1u << 17)

/* Bits of an address that are below those which a table @below the top … 0 is indexed with. */
static unsigned int level_shift(const struct paging *paging, unsigned int below)
{
	return paging->page_shift + paging->index_bits * below;
}

/* The top table may have fewer entries than a page. */
static uint64_t entry_count(const struct paging *paging, unsigned int below)
{
	unsigned int shift = level_shift(paging, below);

	return UINT64_C(1) << (below == paging->levels - 1 ? paging->va_bits - shift : paging->index_bits);
}

static uint64_t entry_address(const struct paging *paging, uint64_t entry)
{
	return (entry & paging->address_mask) | (entry & paging->high_mask) << paging->high_shift;
}

/* The entry that maps @vaddr, and how many bytes it maps; or would, if it is an empty one. */
static struct kd_error *find_leaf(struct address_space *space, uint64_t vaddr, uint64_t *entry_ret, uint64_t *size_ret)
{
	const struct paging *paging = &space->paging;
	uint64_t table = paging->root;

	*size_ret = UINT64_C(1) << paging->page_shift;
	if (!(vaddr >> paging->kernel_bit & 1))
		return kd_error_create(KD_ERR_HOLE, "virtual address 0x%lx is not a kernel address", vaddr);
	for (unsigned int below = paging->levels - 1;; below--) {
		unsigned int shift = level_shift(paging, below);
		uint64_t size = UINT64_C(1) << shift;
		const uint64_t *entries;
		uint64_t entry;
		struct kd_error *err;

		err = address_space_table(space, below, table, &entries);
		if (err)
			return kd_error_wrap(err, "page table of 0x%lx", vaddr);
		entry = entries[(vaddr >> shift) & (entry_count(paging, below) - 1)];
		*size_ret = size;
		table = entry_address(paging, entry);
		switch (space->arch->entry_kind(entry, below)) {
		case ENTRY_TABLE:
			break;
		case ENTRY_LEAF:
			*entry_ret = entry;
			return NULL;
		case ENTRY_NONE:
			return kd_error_create(KD_ERR_HOLE, "virtual address 0x%lx is not mapped", vaddr);
		}
	}
}

struct kd_error *page_table_walk(struct address_space *space, uint64_t vaddr, uint64_t *paddr_ret, uint64_t *size_ret)
{
	uint64_t entry, size;
	struct kd_error *err = find_leaf(space, vaddr, &entry, &size);

	if (err)
		return err;
	*paddr_ret = (entry_address(&space->paging, entry) & ~(size - 1)) | (vaddr & (size - 1));
	*size_ret = size - (vaddr & (size - 1));
	return NULL;
}

bool page_table_look(struct address_space *space, uint64_t vaddr, uint64_t *paddr_ret, uint64_t *size_ret)
{
	uint64_t entry, size;
	struct kd_error *err = find_leaf(space, vaddr, &entry, &size);
	bool mapped = !err;

	kd_error_destroy(err);
	*size_ret = size - (vaddr & (size - 1));
	if (mapped)
		*paddr_ret = (entry_address(&space->paging, entry) & ~(size - 1)) | (vaddr & (size - 1));
	return mapped;
}

enum page_rights page_table_rights(struct address_space *space, uint64_t vaddr, uint64_t *size_ret)
{
	const struct paging *paging = &space->paging;
	uint64_t entry, size;
	struct kd_error *err = find_leaf(space, vaddr, &entry, &size);

	if (err) {
		kd_error_destroy(err);
		*size_ret = space->page_size - vaddr % space->page_size;
		return PAGE_WRITABLE;
	}
	*size_ret = size - (vaddr & (size - 1));
	if ((entry & paging->write_mask) == paging->write_value)
		return PAGE_WRITABLE;
	return entry & paging->no_execute ? PAGE_READ_ONLY : PAGE_CODE;
}

struct visitor {
	struct address_space *space;
	void (*visit)(struct address_space *space, uint64_t paddr);
	unsigned int left;
};

/* Tables of the lowest level are visited, but not read: they lead to pages only. */
static void visit_below(struct visitor *visitor, uint64_t table, unsigned int below)
{
	const struct paging *paging = &visitor->space->paging;
	bool top = below == paging->levels - 1;
	uint64_t count = entry_count(paging, below);
	const uint64_t *entries;

	if (!visitor->left)
		return;
	visitor->left--;
	visitor->visit(visitor->space, table);
	if (below == 0)
		return;
	for (uint64_t i = top && paging->shared_root ? count / 2 : 0; i < count; i++) {
		struct kd_error *err = address_space_table(visitor->space, below, table, &entries);

		if (err) {
			kd_debug(visitor->space->log, "page table at 0x%lx: %s", table, err->text);
			kd_error_destroy(err);
			return;
		}
		if (visitor->space->arch->entry_kind(entries[i], below) == ENTRY_TABLE)
			visit_below(visitor, entry_address(paging, entries[i]), below - 1);
	}
}

void page_table_visit(struct address_space *space, void (*visit)(struct address_space *space, uint64_t paddr))
{
	struct visitor visitor = { .space = space, .visit = visit, .left = VISIT_MAX };

	visit_below(&visitor, space->paging.root, space->paging.levels - 1);
}
