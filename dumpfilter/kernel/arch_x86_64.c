/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Intel SDM volume 3, 4.5; Linux arch/x86/kernel/vmcore_info_64.c for the keys. */
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "dumpfilter/kernel/arch.h"

#define START_KERNEL_MAP  UINT64_C(0xffffffff80000000)
#define KERNEL_IMAGE_SIZE (UINT64_C(1) << 30)          /* with KASLR; half of it without */
#define MODULES_END       UINT64_C(0xffffffffff000000) /* behind the image and its room */
#define ENTRY_PRESENT     UINT64_C(1)
#define ENTRY_WRITABLE    (UINT64_C(1) << 1)
#define ENTRY_NO_EXECUTE  (UINT64_C(1) << 63)
#define ENTRY_HUGE        (UINT64_C(1) << 7)
#define ENTRY_ADDRESS     UINT64_C(0x000ffffffffff000)
/* Firmware may write to it, so no kernel uses it (X86_RESERVE_LOW). Since 5.13 all of the first MiB is reserved
 * (f1d4d47c5851 "x86/setup: Always reserve the first 1M of RAM"), which the pages' flags tell. */
#define BOOT_MEMORY_END UINT64_C(0x10000)
#define PRSTATUS_RSP    264u /* offset of rsp in struct elf_prstatus */

/* The segment that describes the kernel image by its virtual address; NULL: there is none. */
static const struct vmcore_segment *image_segment(const struct vmcore *vmcore)
{
	size_t count;
	const struct vmcore_segment *segment = vmcore_segments(vmcore, &count);

	for (size_t i = 0; i < count; i++)
		if (segment[i].vaddr >= START_KERNEL_MAP)
			return &segment[i];
	return NULL;
}

static bool phys_base_from_segments(const struct vmcore *vmcore, uint64_t *ret)
{
	const struct vmcore_segment *image = image_segment(vmcore);

	if (image)
		*ret = image->paddr - (image->vaddr - START_KERNEL_MAP);
	return image != NULL;
}

static struct kd_error *setup(struct address_space *space)
{
	static const char *const roots[] = { "init_top_pgt", "init_level4_pgt", "swapper_pg_dir" };
	struct paging *paging = &space->paging;
	int64_t phys_base, number;
	uint64_t root = 0, from_segments;

	if (vmcoreinfo_number(space->info, "phys_base", &phys_base))
		paging->image_paddr = (uint64_t)phys_base;
	else if (phys_base_from_segments(space->vmcore, &from_segments))
		paging->image_paddr = from_segments;
	else
		return kd_error_create(KD_ERR_FORMAT,
				       "VMCOREINFO does not say where the kernel image is (no phys_base)");
	paging->image_base = START_KERNEL_MAP;
	paging->image_size = KERNEL_IMAGE_SIZE;
	if (vmcoreinfo_number(space->info, "KERNEL_IMAGE_SIZE", &number) && number > 0)
		paging->image_size = (uint64_t)number;
	paging->modules = (struct kd_range){ paging->image_base + paging->image_size, MODULES_END };

	for (size_t i = 0; i < ARRAY_SIZE(roots) && !root; i++)
		vmcoreinfo_symbol(space->info, roots[i], &root);
	if (root < START_KERNEL_MAP)
		return kd_error_create(KD_ERR_FORMAT,
				       "VMCOREINFO does not say where the page tables are (no init_top_pgt)");
	paging->root = root - START_KERNEL_MAP + paging->image_paddr;

	/* Memory encryption marks entries with an address bit (SME, SEV). */
	paging->address_mask = ENTRY_ADDRESS;
	if (vmcoreinfo_number(space->info, "sme_mask", &number))
		paging->address_mask &= ~(uint64_t)number;
	paging->root &= ~(uint64_t)0xfff & paging->address_mask;

	paging->write_mask = paging->write_value = ENTRY_WRITABLE;
	paging->no_execute = ENTRY_NO_EXECUTE;
	paging->page_shift = 12;
	paging->index_bits = 9;
	paging->kernel_bit = 63;
	paging->shared_root = true;
	paging->levels = 4;
	if (vmcoreinfo_number(space->info, "pgtable_l5_enabled", &number) && number)
		paging->levels = 5;
	paging->va_bits = paging->page_shift + paging->index_bits * paging->levels;
	return NULL;
}

static enum entry_kind entry_kind(uint64_t entry, unsigned int below)
{
	if (!(entry & ENTRY_PRESENT))
		return ENTRY_NONE;
	return below == 0 || (below <= 2 && (entry & ENTRY_HUGE)) ? ENTRY_LEAF : ENTRY_TABLE;
}

static bool stack_pointer(const struct kd_elf64_note *prstatus, uint64_t *ret)
{
	if (prstatus->desc_size < PRSTATUS_RSP + sizeof(*ret))
		return false;
	memcpy(ret, prstatus->desc + PRSTATUS_RSP, sizeof(*ret));
	return *ret >> 63;
}

static uint64_t phys_base(const struct address_space *space)
{
	return space->paging.image_paddr;
}

static struct arch_section_bits section_bits(const struct address_space *space)
{
	return (struct arch_section_bits){ .section = 27, .physical = space->paging.levels == 5 ? 52 : 46 };
}

static uint64_t image_move(const struct vmcore *vmcore, uint64_t stext)
{
	const struct vmcore_segment *image = image_segment(vmcore);

	return image && stext >= START_KERNEL_MAP ? image->vaddr - stext : 0;
}

/* Where the image lies, and whether the page tables have five levels. */
static void boot_numbers(const struct vmcore *vmcore, const struct vmcoreinfo *info, char ret[ARCH_NUMBERS_MAX])
{
	uint64_t base, symbol;
	uint32_t enabled;
	int64_t number;

	*ret = '\0';
	if (vmcoreinfo_number(info, "phys_base", &number) || !phys_base_from_segments(vmcore, &base))
		return;
	snprintf(ret, ARCH_NUMBERS_MAX, "NUMBER(phys_base)=%" PRId64 "\n", (int64_t)base);
	if (!vmcoreinfo_symbol(info, "__pgtable_l5_enabled", &symbol))
		return;
	_cleanup_(kd_error_destroy) struct kd_error *err = vmcore_read(vmcore, symbol - START_KERNEL_MAP + base,
								       &enabled, sizeof(enabled));
	if (!err)
		snprintf(ret + strlen(ret), ARCH_NUMBERS_MAX - strlen(ret), "NUMBER(pgtable_l5_enabled)=%u\n", enabled);
}

const struct arch_ops arch_x86_64 = {
	.machine = "x86_64",
	.elf_machine = EM_X86_64,
	.page_size = 4096,
	.boot_memory = { 0, BOOT_MEMORY_END },
	.setup = setup,
	.entry_kind = entry_kind,
	.stack_pointer = stack_pointer,
	.phys_base = phys_base,
	.section_bits = section_bits,
	.image_move = image_move,
	.boot_numbers = boot_numbers,
};
