/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arm ARM DDI 0487, D8 (VMSAv8-64 translation); Linux arch/arm64/kernel/vmcore_info.c for the keys. */
#include <elf.h>
#include <string.h>

#include "dumpfilter/kernel/arch.h"

#define ENTRY_TYPE       UINT64_C(3)
#define TYPE_BLOCK       UINT64_C(1)
#define TYPE_TABLE       UINT64_C(3)         /* a page, in the lowest table */
#define ENTRY_READ_ONLY  (UINT64_C(1) << 7)  /* AP[2] */
#define ENTRY_NO_EXECUTE (UINT64_C(1) << 53) /* PXN */
#define VA_BITS_MIN      36                  /* 16 KiB pages in two levels */
#define VA_BITS_MAX      52
#define PRSTATUS_SP      360u /* offset of sp in struct elf_prstatus */

/* The width of the addresses that the tables were made for. With 52 configured and a CPU that has but 48, tables of 64
 * KiB pages stay as they are, and the CPU begins in the middle of the top one; with smaller pages the kernel takes the
 * top level away (arch/arm64/mm/mmu.c). Before TCR_EL1_T1SZ was exported (5.9, "arm64/crash_core: Export TCR_EL1.T1SZ
 * in vmcoreinfo") there was no such kernel with small pages. */
static struct kd_error *find_va_bits(const struct address_space *space, unsigned int *ret)
{
	int64_t va_bits, t1sz;

	if (!vmcoreinfo_number(space->info, "VA_BITS", &va_bits))
		return kd_error_create(KD_ERR_FORMAT, "VMCOREINFO does not say how wide addresses are (no VA_BITS)");
	if (space->page_size < PAGE_SIZE_MAX && vmcoreinfo_number(space->info, "TCR_EL1_T1SZ", &t1sz))
		va_bits = 64 - t1sz;
	if (va_bits < VA_BITS_MIN || va_bits > VA_BITS_MAX)
		return kd_error_create(KD_ERR_FORMAT,
				       "VMCOREINFO says that addresses have %ld bits, which no kernel uses",
				       (long)va_bits);
	*ret = (unsigned int)va_bits;
	return NULL;
}

/* Entries have bits 12 to 47 of an address in place. Where pages are larger, the lowest of these hold its highest; with
 * 52 bits and small pages (LPA2) what else says who shares a page does. */
static void set_address_bits(struct paging *paging)
{
	unsigned int top = 48;

	if (paging->page_shift == 16) {
		paging->high_mask = UINT64_C(0xf000);
		paging->high_shift = 48 - 12;
	} else if (paging->va_bits == 52) {
		top = 50;
		paging->high_mask = UINT64_C(0x300);
		paging->high_shift = 50 - 8;
	}
	paging->address_mask = ((UINT64_C(1) << top) - 1) & ~((UINT64_C(1) << paging->page_shift) - 1);
}

/* The kernel image, by the segment that kexec_file_load(2) makes for it. Without one the tables tell all the same. */
static void find_image(struct address_space *space, uint64_t voffset)
{
	size_t count;
	const struct vmcore_segment *segment = vmcore_segments(space->vmcore, &count);

	for (size_t i = 0; i < count; i++) {
		if (segment[i].vaddr - segment[i].paddr != voffset)
			continue;
		space->paging.image_base = segment[i].vaddr;
		space->paging.image_size = segment[i].memory_size;
		space->paging.image_paddr = segment[i].paddr;
		return;
	}
}

static struct kd_error *setup(struct address_space *space)
{
	struct paging *paging = &space->paging;
	unsigned int va_bits = 0;
	int64_t voffset, start, end;
	uint64_t root;
	struct kd_error *err = find_va_bits(space, &va_bits);

	if (err)
		return err;
	if (!vmcoreinfo_symbol(space->info, "swapper_pg_dir", &root) ||
	    !vmcoreinfo_number(space->info, "kimage_voffset", &voffset))
		return kd_error_create(KD_ERR_FORMAT,
				       "VMCOREINFO does not say where the page tables are (no swapper_pg_dir or "
				       "kimage_voffset)");
	find_image(space, (uint64_t)voffset);
	if (vmcoreinfo_number(space->info, "MODULES_VADDR", &start) &&
	    vmcoreinfo_number(space->info, "MODULES_END", &end))
		paging->modules = (struct kd_range){ (uint64_t)start, (uint64_t)end };
	paging->page_shift = (unsigned int)__builtin_ctzl(space->page_size);
	paging->index_bits = paging->page_shift - 3;
	paging->va_bits = va_bits;
	paging->kernel_bit = 55; /* above it there may be tags and signatures of pointers */
	set_address_bits(paging);
	paging->write_mask = ENTRY_READ_ONLY;
	paging->no_execute = ENTRY_NO_EXECUTE;
	paging->root = (root - (uint64_t)voffset) & ~(space->page_size - 1);
	paging->levels = (va_bits - paging->page_shift + paging->index_bits - 1) / paging->index_bits;
	return NULL;
}

static enum entry_kind entry_kind(uint64_t entry, unsigned int below)
{
	if ((entry & ENTRY_TYPE) == TYPE_TABLE)
		return below == 0 ? ENTRY_LEAF : ENTRY_TABLE;
	return (entry & ENTRY_TYPE) == TYPE_BLOCK && below > 0 ? ENTRY_LEAF : ENTRY_NONE;
}

static bool stack_pointer(const struct kd_elf64_note *prstatus, uint64_t *ret)
{
	if (prstatus->desc_size < PRSTATUS_SP + sizeof(*ret))
		return false;
	memcpy(ret, prstatus->desc + PRSTATUS_SP, sizeof(*ret));
	return *ret >> 63;
}

static uint64_t phys_base(const struct address_space *space)
{
	int64_t phys_offset = 0;

	vmcoreinfo_number(space->info, "PHYS_OFFSET", &phys_offset);
	return (uint64_t)phys_offset;
}

/* Until 5.12, which made sections smaller (f0b13ee23241 "arm64/sparsemem: reduce SECTION_SIZE_BITS"); both numbers have
 * been in VMCOREINFO since, or before. */
static struct arch_section_bits section_bits(const struct address_space *space)
{
	return (struct arch_section_bits){ .section = 30, .physical = space->paging.va_bits == 52 ? 52 : 48 };
}

const struct arch_ops arch_aarch64 = {
	.machine = "aarch64",
	.elf_machine = EM_AARCH64,
	.setup = setup,
	.entry_kind = entry_kind,
	.stack_pointer = stack_pointer,
	.phys_base = phys_base,
	.section_bits = section_bits,
};
