/* SPDX-License-Identifier: GPL-2.0-or-later */
/** An arm64 machine made up for tests, with any size of pages and width of addresses, written out as a vmcore. It has
 * memory only where something was put: one segment for each frame. */
#ifndef TESTS_UNIT_DUMPFILTER_AARCH64_TESTING_H
#define TESTS_UNIT_DUMPFILTER_AARCH64_TESTING_H

#include <stdbool.h>
#include <stdint.h>

#define TEXT_VADDR     UINT64_C(0xffffffff80000000) /* the kernel image, in every width */
#define ARM_FRAMES_MAX 96
#define ARM_NOTES_AT   0x4000u  /* in the file; the room up to … */
#define ARM_DATA_AT    0x10000u /* … the frames, one behind the other in the order of struct arm */

struct arm {
	unsigned int page_shift, va_bits, levels;
	uint64_t image_paddr, next_table;
	char info[4096]; /* VMCOREINFO */
	unsigned int count;
	struct frame {
		uint64_t paddr;
		uint8_t *data;
	} frame[ARM_FRAMES_MAX];
};

/** @va_bits, @levels: of the tables; memory begins at @base. The image: _stext, then the kernel's name, the top table
 * in its fifth page. VMCOREINFO does not have the width yet. */
void arm_init(struct arm *arm, unsigned int page_shift, unsigned int va_bits, unsigned int levels, uint64_t base);
void arm_release(struct arm *arm);

/** A machine that a filter can work on: 4 KiB pages, 48 bits, 6.1's struct page for the first 8 MiB, two free pages,
 * and the stack of a CPU. */
void arm_init_mem_map(struct arm *arm);
#define ARM_BASE       UINT64_C(0x40000000)
#define ARM_STACK      UINT64_C(0xffff800008000000)
#define ARM_STACK_PHYS (ARM_BASE + 0x702000)

uint64_t arm_page(const struct arm *arm);
/** The memory at @paddr; its frame is made, of zeros, if it is not there yet. */
uint8_t *arm_at(struct arm *arm, uint64_t paddr);
/** Append to VMCOREINFO. */
void arm_info(struct arm *arm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** Map @size bytes, a page or a block. Tables are made where next_table says. */
void arm_map(struct arm *arm, uint64_t vaddr, uint64_t paddr, uint64_t size);

/** Write the vmcore; @image: with the segment that the kernel makes for its image; @stack: in the CPU's registers. */
void arm_write(const struct arm *arm, const char *path, bool image, uint64_t stack);

#endif
