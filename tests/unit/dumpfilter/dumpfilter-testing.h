/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A small machine made up for tests: 24 MiB of RAM with a kernel's tables in it, written out as a vmcore.
 *
 *  Physical layout: mem_map at 4 MiB; kernel image at 16 MiB, mapped to _stext by one 2 MiB page; page tables behind.
 */
#ifndef TESTS_UNIT_DUMPFILTER_DUMPFILTER_TESTING_H
#define TESTS_UNIT_DUMPFILTER_DUMPFILTER_TESTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define RAM_SIZE   (UINT64_C(24) << 20)
#define RAM_PAGES  (RAM_SIZE / 4096)
#define MEM_MAP    (UINT64_C(4) << 20)
#define STEXT      UINT64_C(0xffffffff81000000)
#define STEXT_PHYS UINT64_C(0x1000000)
#define UTS_NS     (STEXT + 0x80000)
#define SECTIONS   (STEXT + 0x90000)
#define SECTION_0  (STEXT + 0xa0000)
#define PRB        (STEXT + 0xb0000)
#define ROOT_TABLE (STEXT + 0x100000)
/* The log of machine_init_log(): 8 records in 256 bytes; ids and positions start just below where they wrap. */
#define LOG_RING    (PRB + 0x100)
#define LOG_DESCS   (PRB + 0x1000)
#define LOG_INFOS   (PRB + 0x2000)
#define LOG_TEXT    (PRB + 0x3000)
#define PHYS(vaddr) ((vaddr)-STEXT + STEXT_PHYS)
#define LOG_TAIL_ID ((UINT64_C(1) << 62) - 2)
#define VMEMMAP     UINT64_C(0xffffea0000000000)
#define VMEMMAP_L5  UINT64_C(0xffd4000000000000)

/* Flags of 6.1's struct page, and the _mapcount of a page that no table maps. */
#define LRU        (UINT64_C(1) << 4)
#define SLAB       (UINT64_C(1) << 9)
#define SWAPCACHE  (UINT64_C(1) << 10)
#define PRIVATE    (UINT64_C(1) << 13)
#define HEAD_6_1   (UINT64_C(1) << 16)
#define SWAPBACKED (UINT64_C(1) << 19)
#define HWPOISON   (UINT64_C(1) << 23)
#define UNMAPPED   UINT32_MAX

struct machine {
	uint8_t *ram;
	unsigned int levels;
	uint64_t next_table;    /* physical */
	char info[8192];        /* VMCOREINFO */
	uint64_t head_cut;      /* bytes of the first page that are not RAM */
	uint64_t tail_cut;      /* bytes of the last page that are not RAM */
	uint64_t stack_pointer; /* of the first CPU; 0: it was not in the kernel */
};

/** A machine that a filter can work on: 6.1's struct page, all pages in use by the kernel. */
void machine_init(struct machine *machine, unsigned int levels);
/** The same (4 levels) with an empty log in it. */
void machine_init_log(struct machine *machine);
/** A record, and from then on the newest one. Its block of the ring is where @begin and @next say. */
void machine_add_record(struct machine *machine, unsigned int number, unsigned int state, uint64_t begin, uint64_t next,
			const char *text);
/** Pages of every class, a poisoned tail among them. */
void machine_populate(struct machine *machine);
void machine_release(struct machine *machine);

/** An ELF note; how many bytes it takes. */
size_t machine_write_note(FILE *out, const char *name, uint32_t type, const void *desc, uint32_t size);

/** Append a line to VMCOREINFO. */
void machine_info(struct machine *machine, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** Take every line out that begins with @key. */
void machine_forget(struct machine *machine, const char *key);

void machine_put(struct machine *machine, uint64_t paddr, uint64_t value, size_t size);
/** Map the page of @size bytes (4 KiB, 2 MiB, 1 GiB) at @vaddr. */
void machine_map(struct machine *machine, uint64_t vaddr, uint64_t paddr, uint64_t size);

/** Physical address of a struct page. */
uint64_t machine_page(uint64_t pfn);

/** Write the vmcore: an ELF header, program headers, notes (two CPUs, VMCOREINFO), the image's segment, RAM. */
void machine_write(const struct machine *machine, const char *path);

/** struct page of 6.1 in VMCOREINFO's words. */
extern const char info_6_1[];

#endif
