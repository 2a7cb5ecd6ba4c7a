/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/dumpfilter/aarch64-testing.h"

#include <assert.h>
#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/elf64.h"
#include "tests/unit/dumpfilter/dumpfilter-testing.h"

uint64_t arm_page(const struct arm *arm)
{
	return UINT64_C(1) << arm->page_shift;
}

uint8_t *arm_at(struct arm *arm, uint64_t paddr)
{
	uint64_t start = paddr & ~(arm_page(arm) - 1);
	struct frame *frame;

	for (unsigned int i = 0; i < arm->count; i++)
		if (arm->frame[i].paddr == start)
			return arm->frame[i].data + (paddr - start);
	assert(arm->count < ARM_FRAMES_MAX);
	frame = &arm->frame[arm->count++];
	*frame = (struct frame){ .paddr = start, .data = calloc(1, arm_page(arm)) };
	assert(frame->data);
	return frame->data + (paddr - start);
}

void arm_info(struct arm *arm, const char *fmt, ...)
{
	size_t used = strlen(arm->info);
	va_list args;

	va_start(args, fmt);
	vsnprintf(arm->info + used, sizeof(arm->info) - used, fmt, args);
	va_end(args);
}

/* An entry that leads to @paddr, as the CPU would read it. */
static uint64_t arm_entry(const struct arm *arm, uint64_t paddr)
{
	if (arm->page_shift == 16)
		return (paddr & UINT64_C(0x0000ffffffff0000)) | (paddr >> 48) << 12;
	if (arm->va_bits == 52)
		return (paddr & UINT64_C(0x0003ffffffffffff)) | (paddr >> 50) << 8;
	return paddr | 0x300; /* inner shareable */
}

void arm_map(struct arm *arm, uint64_t vaddr, uint64_t paddr, uint64_t size)
{
	unsigned int bits = arm->page_shift - 3;
	uint64_t table = arm->image_paddr + 4 * arm_page(arm);

	for (unsigned int below = arm->levels - 1;; below--) {
		unsigned int shift = arm->page_shift + bits * below;
		unsigned int width = below == arm->levels - 1 ? arm->va_bits - shift : bits;
		uint64_t index = vaddr >> shift & ((UINT64_C(1) << width) - 1), entry;
		uint8_t *slot = arm_at(arm, table + index * 8);

		memcpy(&entry, slot, 8);
		if (UINT64_C(1) << shift == size) {
			entry = arm_entry(arm, paddr) | (below ? 1 : 3) | UINT64_C(0x0060000000000400);
			memcpy(slot, &entry, 8);
			return;
		}
		if (!entry) {
			entry = arm_entry(arm, arm->next_table) | 3;
			memcpy(slot, &entry, 8);
			table = arm->next_table;
			arm->next_table += arm_page(arm);
			arm_at(arm, table);
		} else {
			/* Made by this very function. */
			table = 0;
			for (unsigned int i = 0; i < arm->count && !table; i++)
				if ((arm_entry(arm, arm->frame[i].paddr) | 3) == entry)
					table = arm->frame[i].paddr;
			assert(table);
		}
	}
}

void arm_init(struct arm *arm, unsigned int page_shift, unsigned int va_bits, unsigned int levels, uint64_t base)
{
	static const char *const names[] = { "Linux", "node", "6.1.0-test", "#1 SMP", "aarch64", "(none)" };

	*arm = (struct arm){ .page_shift = page_shift, .va_bits = va_bits, .levels = levels };
	arm->image_paddr = base + (UINT64_C(2) << 20);
	arm->next_table = base + (UINT64_C(4) << 20);
	arm_info(arm, "OSRELEASE=6.1.0-test\nPAGESIZE=%lu\nSYMBOL(_stext)=%lx\nSYMBOL(swapper_pg_dir)=%lx\n",
		 arm_page(arm), TEXT_VADDR, TEXT_VADDR + 4 * arm_page(arm));
	arm_info(arm, "SYMBOL(init_uts_ns)=%lx\nOFFSET(uts_namespace.name)=0\n", TEXT_VADDR + arm_page(arm));
	arm_info(arm, "NUMBER(kimage_voffset)=0x%lx\nNUMBER(PHYS_OFFSET)=0x%lx\n", TEXT_VADDR - arm->image_paddr, base);
	arm_info(arm, "NUMBER(KERNELPACMASK)=0xffff000000000000\n");
	for (unsigned int i = 0; i < 5; i++) {
		arm_at(arm, arm->image_paddr + i * arm_page(arm));
		arm_map(arm, TEXT_VADDR + i * arm_page(arm), arm->image_paddr + i * arm_page(arm), arm_page(arm));
	}
	for (unsigned int i = 0; i < 6; i++)
		strcpy((char *)arm_at(arm, arm->image_paddr + arm_page(arm)) + 65 * i, names[i]);
}

void arm_release(struct arm *arm)
{
	for (unsigned int i = 0; i < arm->count; i++)
		free(arm->frame[i].data);
}

void arm_write(const struct arm *arm, const char *path, bool image, uint64_t stack)
{
	FILE *out = fopen(path, "w");
	uint8_t prstatus[392] = { 0 };
	uint64_t data = ARM_DATA_AT, notes;
	Elf64_Ehdr ehdr;

	assert(out);
	memcpy(prstatus + 112 + 31 * 8, &stack, 8);
	fseek(out, ARM_NOTES_AT, SEEK_SET);
	notes = machine_write_note(out, "CORE", NT_PRSTATUS, prstatus, sizeof(prstatus));
	notes += machine_write_note(out, "VMCOREINFO", 0, arm->info, (uint32_t)strlen(arm->info));
	kd_elf64_core_header(&ehdr, EM_AARCH64, (uint16_t)(arm->count + 1 + image));
	fseek(out, 0, SEEK_SET);
	fwrite(&ehdr, sizeof(ehdr), 1, out);
	fwrite(&(Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = ARM_NOTES_AT, .p_filesz = notes }, sizeof(Elf64_Phdr), 1,
	       out);
	for (int i = image ? -1 : 0; i < (int)arm->count; i++) {
		/* The image's pages were made first, so they lie together. */
		Elf64_Phdr phdr = { .p_type = PT_LOAD,
				    .p_offset = data + (uint64_t)(i < 0 ? 0 : i) * arm_page(arm),
				    .p_paddr = arm->frame[i < 0 ? 0 : i].paddr,
				    .p_vaddr = i < 0 ? TEXT_VADDR : 0 };

		phdr.p_filesz = phdr.p_memsz = arm_page(arm);
		fwrite(&phdr, sizeof(phdr), 1, out);
	}
	fseek(out, (long)data, SEEK_SET);
	for (unsigned int i = 0; i < arm->count; i++)
		fwrite(arm->frame[i].data, arm_page(arm), 1, out);
	assert(fclose(out) == 0);
}

void arm_init_mem_map(struct arm *arm)
{
	const uint64_t vmemmap = UINT64_C(0xfffffc0000000000);
	const uint64_t base = ARM_BASE, first = base >> 12, section = first >> 15;
	uint64_t pointer;
	uint32_t type = UINT32_MAX;

	arm_init(arm, 12, 48, 4, base);
	arm_info(arm, "NUMBER(VA_BITS)=48\nNUMBER(TCR_EL1_T1SZ)=0x10\nCRASHTIME=77\n%s", info_6_1);
	arm_info(arm,
		 "SYMBOL(mem_section)=%lx\nLENGTH(mem_section)=16384\nSIZE(mem_section)=32\n"
		 "OFFSET(mem_section.section_mem_map)=0\nNUMBER(SECTION_SIZE_BITS)=27\nNUMBER(MAX_PHYSMEM_BITS)=48\n",
		 TEXT_VADDR + 2 * 4096);
	pointer = TEXT_VADDR + 3 * 4096;
	memcpy(arm_at(arm, arm->image_paddr + 2 * 4096 + section / 128 * 8), &pointer, 8);
	pointer = vmemmap | 0xf;
	memcpy(arm_at(arm, arm->image_paddr + 3 * 4096 + section % 128 * 32), &pointer, 8);
	for (uint64_t i = 0; i < 32; i++) {
		arm_map(arm, vmemmap + first * 64 + i * 4096, base + 0x600000 + i * 4096, 4096);
		for (unsigned int j = 0; j < 64; j++)
			memcpy(arm_at(arm, base + 0x600000 + i * 4096 + j * 64 + 48), &type, 4);
	}
	arm_at(arm, base + 0x700000);
	arm_at(arm, base + 0x701000);
	type = (uint32_t)-129;
	memcpy(arm_at(arm, base + 0x600000 + 0x700 * 64 + 48), &type, 4);
	*arm_at(arm, base + 0x600000 + 0x700 * 64 + 40) = 1;
	arm_map(arm, ARM_STACK, ARM_STACK_PHYS, 4096);
	strcpy((char *)arm_at(arm, ARM_STACK_PHYS), "stack");
}
