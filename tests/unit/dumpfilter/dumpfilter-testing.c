/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/dumpfilter/dumpfilter-testing.h"

#include <assert.h>
#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/elf64.h"

#define PRSTATUS_RSP 264u /* offset of rsp in struct elf_prstatus */

const char info_6_1[] = "SIZE(page)=64\n"
			"OFFSET(page.flags)=0\n"
			"OFFSET(page.compound_head)=8\n"
			"OFFSET(page.mapping)=24\n"
			"OFFSET(page.private)=40\n"
			"OFFSET(page._mapcount)=48\n"
			"OFFSET(page.compound_dtor)=16\n"
			"OFFSET(page.compound_order)=17\n"
			"LENGTH(zone.free_area)=11\n"
			"NUMBER(PG_lru)=4\n"
			"NUMBER(PG_private)=13\n"
			"NUMBER(PG_swapcache)=10\n"
			"NUMBER(PG_swapbacked)=19\n"
			"NUMBER(PG_slab)=9\n"
			"NUMBER(PG_hwpoison)=23\n"
			"NUMBER(PG_head_mask)=65536\n"
			"NUMBER(HUGETLB_PAGE_DTOR)=2\n"
			"NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\n"
			"NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257\n";

void machine_info(struct machine *machine, const char *fmt, ...)
{
	size_t used = strlen(machine->info);
	va_list args;

	va_start(args, fmt);
	vsnprintf(machine->info + used, sizeof(machine->info) - used, fmt, args);
	va_end(args);
}

void machine_forget(struct machine *machine, const char *key)
{
	for (char *line = machine->info; *line;) {
		char *next = strchr(line, '\n') + 1;

		if (strncmp(line, key, strlen(key)) == 0)
			memmove(line, next, strlen(next) + 1);
		else
			line = next;
	}
}

void machine_put(struct machine *machine, uint64_t paddr, uint64_t value, size_t size)
{
	assert(paddr + size <= RAM_SIZE);
	memcpy(machine->ram + paddr, &value, size);
}

uint64_t machine_page(uint64_t pfn)
{
	return MEM_MAP + pfn * 64;
}

void machine_map(struct machine *machine, uint64_t vaddr, uint64_t paddr, uint64_t size)
{
	uint64_t table = ROOT_TABLE - STEXT + STEXT_PHYS;

	for (unsigned int below = machine->levels - 1;; below--) {
		unsigned int shift = 12 + 9 * below;
		uint64_t slot = table + (vaddr >> shift) % 512 * 8, entry;

		if (UINT64_C(1) << shift == size) {
			machine_put(machine, slot, paddr | (below ? 0x80 : 0) | 0x63 | UINT64_C(1) << 63, 8);
			return;
		}
		memcpy(&entry, machine->ram + slot, 8);
		if (!entry) {
			entry = machine->next_table | 0x63;
			machine->next_table += 4096;
			machine_put(machine, slot, entry, 8);
		}
		table = entry & UINT64_C(0x000ffffffffff000);
	}
}

void machine_init(struct machine *machine, unsigned int levels)
{
	static const char *const names[] = { "Linux", "node", "6.1.0-test", "#1 SMP", "x86_64", "(none)" };
	uint64_t vmemmap = levels == 5 ? VMEMMAP_L5 : VMEMMAP;

	*machine = (struct machine){ .levels = levels, .next_table = ROOT_TABLE - STEXT + STEXT_PHYS + 4096 };
	machine->ram = calloc(1, RAM_SIZE);
	assert(machine->ram);
	machine_info(machine, "OSRELEASE=6.1.0-test\nBUILD-ID=00112233\nPAGESIZE=4096\n");
	machine_info(machine, "SYMBOL(_stext)=%lx\nSYMBOL(init_top_pgt)=%lx\nSYMBOL(init_uts_ns)=%lx\n", STEXT,
		     ROOT_TABLE, UTS_NS);
	machine_info(machine, "OFFSET(uts_namespace.name)=0\nNUMBER(phys_base)=0\nNUMBER(pgtable_l5_enabled)=%d\n",
		     levels == 5);
	machine_info(machine, "SYMBOL(mem_section)=%lx\nLENGTH(mem_section)=%u\nSIZE(mem_section)=32\n", SECTIONS,
		     levels == 5 ? 262144 : 4096);
	machine_info(machine,
		     "OFFSET(mem_section.section_mem_map)=0\nNUMBER(SECTION_SIZE_BITS)=27\n"
		     "NUMBER(MAX_PHYSMEM_BITS)=%d\n",
		     levels == 5 ? 52 : 46);
	machine_info(machine, "%s", info_6_1);

	machine_map(machine, STEXT, STEXT_PHYS, 2 << 20);
	machine_map(machine, vmemmap, MEM_MAP, 2 << 20);
	for (size_t i = 0; i < 6; i++)
		strcpy((char *)machine->ram + (UTS_NS - STEXT + STEXT_PHYS) + 65 * i, names[i]);
	machine_put(machine, SECTIONS - STEXT + STEXT_PHYS, SECTION_0, 8);
	machine_put(machine, SECTION_0 - STEXT + STEXT_PHYS, vmemmap | 0x3f, 8);
	for (uint64_t pfn = 0; pfn < 32768; pfn++)
		machine_put(machine, machine_page(pfn) + 48, UINT32_MAX, 4);
}

void machine_init_log(struct machine *machine)
{
	machine_init(machine, 4);
	machine_info(machine, "SYMBOL(prb)=%lx\nSIZE(prb_desc)=24\nSIZE(printk_info)=88\n", PRB);
	machine_info(machine, "OFFSET(printk_ringbuffer.desc_ring)=0\nOFFSET(printk_ringbuffer.text_data_ring)=64\n"
			      "OFFSET(prb_desc_ring.count_bits)=0\nOFFSET(prb_desc_ring.descs)=8\n"
			      "OFFSET(prb_desc_ring.infos)=16\nOFFSET(prb_desc_ring.head_id)=24\n"
			      "OFFSET(prb_desc_ring.tail_id)=32\nOFFSET(prb_data_ring.size_bits)=0\n"
			      "OFFSET(prb_data_ring.data)=8\nOFFSET(prb_desc.state_var)=0\n"
			      "OFFSET(prb_desc.text_blk_lpos)=8\nOFFSET(prb_data_blk_lpos.begin)=0\n"
			      "OFFSET(prb_data_blk_lpos.next)=8\nOFFSET(printk_info.ts_nsec)=8\n"
			      "OFFSET(printk_info.text_len)=16\nOFFSET(atomic_long_t.counter)=0\n");
	machine_put(machine, PHYS(PRB), LOG_RING, 8);
	machine_put(machine, PHYS(LOG_RING), 3, 4);
	machine_put(machine, PHYS(LOG_RING + 8), LOG_DESCS, 8);
	machine_put(machine, PHYS(LOG_RING + 16), LOG_INFOS, 8);
	machine_put(machine, PHYS(LOG_RING + 32), LOG_TAIL_ID, 8);
	machine_put(machine, PHYS(LOG_RING + 64), 8, 4);
	machine_put(machine, PHYS(LOG_RING + 72), LOG_TEXT, 8);
}

void machine_add_record(struct machine *machine, unsigned int number, unsigned int state, uint64_t begin, uint64_t next,
			const char *text)
{
	uint64_t id = (LOG_TAIL_ID + number) & ((UINT64_C(1) << 62) - 1), slot = id % 8;
	uint64_t offset = begin >> 8 == (next - 1) >> 8 ? begin % 256 : 0;

	machine_put(machine, PHYS(LOG_DESCS + slot * 24), id | (uint64_t)state << 62, 8);
	machine_put(machine, PHYS(LOG_DESCS + slot * 24 + 8), begin, 8);
	machine_put(machine, PHYS(LOG_DESCS + slot * 24 + 16), next, 8);
	machine_put(machine, PHYS(LOG_INFOS + slot * 88 + 8), UINT64_C(1000001000) * number, 8);
	machine_put(machine, PHYS(LOG_INFOS + slot * 88 + 16), strlen(text), 2);
	if (!(begin & 1)) {
		machine_put(machine, PHYS(LOG_TEXT + offset), id, 8);
		memcpy(machine->ram + PHYS(LOG_TEXT + offset + 8), text, strlen(text));
	}
	machine_put(machine, PHYS(LOG_RING + 24), id, 8);
}

void machine_release(struct machine *machine)
{
	free(machine->ram);
	machine->ram = NULL;
}

void machine_populate(struct machine *machine)
{
	static const struct {
		uint64_t pfn, flags, mapping;
		uint32_t mapcount;
		uint64_t private_data;
	} pages[] = {
		{ 100, LRU, 0x1000, 0, 0 },
		{ 101, LRU | PRIVATE, 0x1000, 0, 0 },
		{ 102, LRU | SWAPBACKED, 0x1001, 0, 0 },
		{ 128, 0, 0, (uint32_t)-129, 4 },
		{ 200, HWPOISON, 0, UNMAPPED, 0 },
		{ 201, 0, 0, (uint32_t)-257, 0 },
		{ 512, HEAD_6_1 | LRU, 1, UNMAPPED, 0 },
		{ 600, HWPOISON, 0, UNMAPPED, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		uint64_t page = machine_page(pages[i].pfn);

		machine_put(machine, page, pages[i].flags, 8);
		machine_put(machine, page + 24, pages[i].mapping, 8);
		machine_put(machine, page + 40, pages[i].private_data, 8);
		machine_put(machine, page + 48, pages[i].mapcount, 4);
	}
	for (uint64_t pfn = 513; pfn < 1024; pfn++)
		machine_put(machine, machine_page(pfn) + 8, (VMEMMAP + 512 * 64) | 1, 8);
	machine->ram[machine_page(513) + 17] = 9;
	/* Something to compress, and something that cannot be. */
	for (uint64_t i = 0; i < 4096; i++) {
		machine->ram[50 * 4096 + i] = (uint8_t)(i / 100);
		machine->ram[51 * 4096 + i] = (uint8_t)((i * 2654435761u) >> 13 ^ (i * i * 40503u) >> 7);
	}
}

size_t machine_write_note(FILE *out, const char *name, uint32_t type, const void *desc, uint32_t size)
{
	Elf64_Nhdr nhdr = { .n_namesz = (uint32_t)strlen(name) + 1, .n_descsz = size, .n_type = type };
	char padded[16] = "", zeros[4] = "";

	strcpy(padded, name);
	fwrite(&nhdr, sizeof(nhdr), 1, out);
	fwrite(padded, 1, (nhdr.n_namesz + 3) & ~3u, out);
	fwrite(desc, 1, size, out);
	fwrite(zeros, 1, -size & 3, out);
	return sizeof(nhdr) + ((nhdr.n_namesz + 3) & ~3u) + ((size + 3) & ~3u);
}

void machine_write(const struct machine *machine, const char *path)
{
	FILE *out = fopen(path, "w");
	uint8_t prstatus[336] = { 0 };
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[3] = {
		{ .p_type = PT_NOTE, .p_offset = 0x1000 },
		{ .p_type = PT_LOAD, .p_vaddr = STEXT, .p_paddr = STEXT_PHYS, .p_offset = 0x4000 + STEXT_PHYS },
		{ .p_type = PT_LOAD,
		  .p_vaddr = 0xffff888000000000,
		  .p_offset = 0x4000 + machine->head_cut,
		  .p_paddr = machine->head_cut },
	};

	assert(out);
	phdr[1].p_filesz = phdr[1].p_memsz = 2 << 20;
	phdr[2].p_filesz = phdr[2].p_memsz = RAM_SIZE - machine->head_cut - machine->tail_cut;
	fseek(out, 0x1000, SEEK_SET);
	memcpy(prstatus + PRSTATUS_RSP, &machine->stack_pointer, sizeof(machine->stack_pointer));
	machine_write_note(out, "CORE", NT_PRSTATUS, prstatus, sizeof(prstatus));
	memset(prstatus, 0, sizeof(prstatus));
	machine_write_note(out, "CORE", NT_PRSTATUS, prstatus, sizeof(prstatus));
	machine_write_note(out, "VMCOREINFO", 0, machine->info, (uint32_t)strlen(machine->info));
	phdr[0].p_filesz = phdr[0].p_memsz = (uint64_t)ftell(out) - 0x1000;
	fseek(out, 0x4000, SEEK_SET);
	fwrite(machine->ram, 1, RAM_SIZE, out);
	kd_elf64_core_header(&ehdr, EM_X86_64, 3);
	fseek(out, 0, SEEK_SET);
	fwrite(&ehdr, sizeof(ehdr), 1, out);
	fwrite(phdr, sizeof(phdr), 1, out);
	assert(fclose(out) == 0);
}
