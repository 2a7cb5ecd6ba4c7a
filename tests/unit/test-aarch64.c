/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aarch64 dumps, from tables made up for every page size and width of addresses; runs on any host. */
#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "dumpfilter/address_space.h"
#include "dumpfilter/arch.h"
#include "dumpfilter/dumpfilter.h"
#include "tests/unit/dumpfilter-testing.h"
#include "tests/unit/dump-check.h"
#include "tests/unit/testing.h"

static char core[64], dump[64];

/* A machine that has memory only where something was put, one frame (page) a segment. */
#define FRAMES_MAX 96

struct arm {
	unsigned int page_shift, va_bits, levels;
	uint64_t image_paddr, next_table;
	char info[4096];
	unsigned int count;
	struct frame {
		uint64_t paddr, vaddr;
		uint8_t *data;
	} frame[FRAMES_MAX];
};

#define TEXT_VADDR UINT64_C(0xffffffff80000000)

static uint64_t arm_page(const struct arm *arm)
{
	return UINT64_C(1) << arm->page_shift;
}

static uint8_t *arm_at(struct arm *arm, uint64_t paddr)
{
	uint64_t start = paddr & ~(arm_page(arm) - 1);
	struct frame *frame;

	for (unsigned int i = 0; i < arm->count; i++)
		if (arm->frame[i].paddr == start)
			return arm->frame[i].data + (paddr - start);
	assert_true(arm->count < FRAMES_MAX);
	frame = &arm->frame[arm->count++];
	*frame = (struct frame){ .paddr = start, .data = calloc(1, arm_page(arm)) };
	assert_non_null(frame->data);
	return frame->data + (paddr - start);
}

__attribute__((format(printf, 2, 3))) static void arm_info(struct arm *arm, const char *fmt, ...)
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

/* Map @size bytes, a page or a block. Tables are made where next_table says. */
static void arm_map(struct arm *arm, uint64_t vaddr, uint64_t paddr, uint64_t size)
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
			assert_int_not_equal(table, 0);
		}
	}
}

/* @va_bits: of the tables. The image: _stext, then the kernel's name, the top table in its fifth page. */
static void arm_init(struct arm *arm, unsigned int page_shift, unsigned int va_bits, unsigned int levels, uint64_t base)
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

static void arm_release(struct arm *arm)
{
	for (unsigned int i = 0; i < arm->count; i++)
		free(arm->frame[i].data);
}

static size_t put_note(FILE *out, const char *name, uint32_t type, const void *desc, uint32_t size)
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

/* @image: with the segment that the kernel makes for its image. */
static void arm_write(const struct arm *arm, const char *path, bool image, uint64_t stack)
{
	FILE *out = fopen(path, "w");
	uint8_t prstatus[392] = { 0 };
	uint64_t data = 0x10000, notes;
	Elf64_Ehdr ehdr;

	assert_non_null(out);
	memcpy(prstatus + 112 + 31 * 8, &stack, 8);
	fseek(out, 0x4000, SEEK_SET);
	notes = put_note(out, "CORE", NT_PRSTATUS, prstatus, sizeof(prstatus));
	notes += put_note(out, "VMCOREINFO", 0, arm->info, (uint32_t)strlen(arm->info));
	kd_elf64_core_header(&ehdr, EM_AARCH64, (uint16_t)(arm->count + 1 + image));
	fseek(out, 0, SEEK_SET);
	fwrite(&ehdr, sizeof(ehdr), 1, out);
	fwrite(&(Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = 0x4000, .p_filesz = notes }, sizeof(Elf64_Phdr), 1, out);
	for (int i = image ? -1 : 0; i < (int)arm->count; i++) {
		/* The image's pages were made first, so they lie together. */
		Elf64_Phdr phdr = { .p_type = PT_LOAD, .p_offset = data + (uint64_t)(i < 0 ? 0 : i) * arm_page(arm),
				    .p_paddr = arm->frame[i < 0 ? 0 : i].paddr, .p_vaddr = i < 0 ? TEXT_VADDR : 0 };

		phdr.p_filesz = phdr.p_memsz = arm_page(arm);
		fwrite(&phdr, sizeof(phdr), 1, out);
	}
	fseek(out, (long)data, SEEK_SET);
	for (unsigned int i = 0; i < arm->count; i++)
		fwrite(arm->frame[i].data, arm_page(arm), 1, out);
	assert_int_equal(fclose(out), 0);
}

struct opened {
	struct vmcore *vmcore;
	struct vmcoreinfo info;
	struct address_space space;
};

static struct kd_error *open_core(struct opened *opened)
{
	assert_no_error(vmcore_open(core, &opened->vmcore));
	opened->info.text = vmcore_vmcoreinfo(opened->vmcore, &opened->info.size);
	return address_space_init(&opened->space, opened->vmcore, &opened->info, NULL);
}

static void close_core(struct opened *opened)
{
	address_space_release(&opened->space);
	vmcore_close(opened->vmcore);
}

static void expect_at(struct opened *opened, uint64_t vaddr, uint64_t paddr, uint64_t size)
{
	uint64_t found = 0, left = 0;

	assert_no_error(address_space_translate(&opened->space, vaddr, &found, &left));
	assert_int_equal(found, paddr);
	assert_int_equal(left, size);
}

static void expect_hole(struct opened *opened, uint64_t vaddr)
{
	uint64_t paddr, size;

	assert_error(address_space_translate(&opened->space, vaddr, &paddr, &size), KD_ERR_HOLE, "");
}

/* Kernels as they come: VA_BITS, and what the CPU made of it (T1SZ; 0: the key is older than the kernel). */
static const struct width {
	unsigned int page_shift, va_bits, t1sz;
	unsigned int table_bits, levels; /* of the tables */
	uint64_t base;                   /* of memory */
} widths[] = {
	{ 12, 39, 25, 39, 3, UINT64_C(0x40000000) },
	{ 12, 48, 16, 48, 4, UINT64_C(0x40000000) },
	{ 12, 48, 0, 48, 4, UINT64_C(0x800000000000) },
	{ 12, 52, 12, 52, 5, UINT64_C(0xd800040000000) },
	{ 12, 52, 16, 48, 4, UINT64_C(0x840000000000) },
	{ 14, 36, 28, 36, 2, UINT64_C(0x40000000) },
	{ 14, 47, 17, 47, 3, UINT64_C(0x40000000) },
	{ 14, 48, 16, 48, 4, UINT64_C(0x40000000) },
	{ 14, 52, 12, 52, 4, UINT64_C(0xf400040000000) },
	{ 14, 52, 17, 47, 3, UINT64_C(0x40000000) },
	{ 16, 42, 22, 42, 2, UINT64_C(0x40000000) },
	{ 16, 48, 16, 48, 3, UINT64_C(0x40000000) },
	{ 16, 52, 12, 52, 3, UINT64_C(0xa000040000000) },
	{ 16, 52, 16, 52, 3, UINT64_C(0xa000040000000) }, /* the tables stay those of 52 bits */
	{ 16, 52, 0, 52, 3, UINT64_C(0xf000040000000) },
};

static void check_width(const struct width *width, bool image)
{
	uint64_t page = UINT64_C(1) << width->page_shift, linear = -(UINT64_C(1) << (width->table_bits - 1));
	struct opened opened;
	struct arm arm;

	/* Addresses that a CPU which runs 48 bits of 52 could not have are not used. */
	if (width->page_shift == 16 && width->t1sz == 16)
		linear = UINT64_C(0xffff800000000000);
	arm_init(&arm, width->page_shift, width->table_bits, width->levels, width->base);
	arm_info(&arm, "NUMBER(VA_BITS)=%u\n", width->va_bits);
	if (width->t1sz)
		arm_info(&arm, "NUMBER(TCR_EL1_T1SZ)=0x%x\n", width->t1sz);
	arm_map(&arm, linear, width->base + 0x1000000, page);
	strcpy((char *)arm_at(&arm, width->base + 0x1000000), "hello");
	/* A block of each level above the pages, where addresses are wide enough for it to be one. */
	for (unsigned int below = 1; below < width->levels && below < 3; below++) {
		unsigned int shift = width->page_shift + (width->page_shift - 3) * below;

		if (shift + 2 < width->table_bits)
			arm_map(&arm, linear + (UINT64_C(1) << shift), UINT64_C(1) << shift, UINT64_C(1) << shift);
	}
	arm_write(&arm, core, image, 0);
	assert_no_error(open_core(&opened));
	assert_int_equal(opened.space.paging.levels, width->levels);
	assert_int_equal(opened.space.paging.image_size, image ? page : 0);
	assert_int_equal(opened.space.arch->phys_base(&opened.space), width->base);

	expect_at(&opened, TEXT_VADDR + page + 5, arm.image_paddr + page + 5, page - 5);
	expect_at(&opened, linear + 8, width->base + 0x1000000 + 8, page - 8);
	/* A tag in the top byte, a signature below it. */
	expect_at(&opened, (linear & ~(UINT64_C(0xff) << 56)) | UINT64_C(0x73) << 56, width->base + 0x1000000, page);
	if (width->table_bits < 52)
		expect_at(&opened, (linear & ~(UINT64_C(5) << 52)), width->base + 0x1000000, page);
	for (unsigned int below = 1; below < width->levels && below < 3; below++) {
		unsigned int shift = width->page_shift + (width->page_shift - 3) * below;
		uint64_t size = UINT64_C(1) << shift;

		if (shift + 2 < width->table_bits)
			expect_at(&opened, linear + size + 0x12345, size + 0x12345, size - 0x12345);
	}
	expect_hole(&opened, linear + page);
	expect_hole(&opened, linear & ((UINT64_C(1) << 48) - 1)); /* the other half is not the kernel's */
	expect_hole(&opened, 0);

	char text[6];
	assert_no_error(address_space_read(&opened.space, linear, text, sizeof(text)));
	assert_string_equal(text, "hello");
	close_core(&opened);
	arm_release(&arm);
}

static void test_widths(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		check_width(&widths[i], true);
		check_width(&widths[i], false);
	}
}

/* What the last table has must say so: a block is none there. */
static void test_entries(void **state)
{
	struct opened opened;
	struct arm arm;
	uint64_t linear = UINT64_C(0xffff800000000000);
	uint64_t entry;

	arm_init(&arm, 12, 48, 4, 0x40000000);
	arm_info(&arm, "NUMBER(VA_BITS)=48\nNUMBER(TCR_EL1_T1SZ)=0x10\n");
	for (unsigned int i = 0; i < 4; i++)
		arm_map(&arm, linear + i * 4096, 0x50000000 + i * 4096, 4096);
	for (uint64_t type = 0; type < 4; type++) {
		uint8_t *slot = arm_at(&arm, arm.next_table - 4096 + type * 8);

		memcpy(&entry, slot, 8);
		entry = (entry & ~UINT64_C(3)) | type;
		memcpy(slot, &entry, 8);
	}
	arm_write(&arm, core, true, 0);
	assert_no_error(open_core(&opened));
	expect_hole(&opened, linear);
	expect_hole(&opened, linear + 4096);
	expect_hole(&opened, linear + 2 * 4096);
	expect_at(&opened, linear + 3 * 4096, 0x50003000, 4096);
	close_core(&opened);
	arm_release(&arm);
}

static void expect_refused(const char *lines)
{
	struct opened opened;
	struct arm arm;

	arm_init(&arm, 12, 48, 4, 0x40000000);
	arm_info(&arm, "%s", lines);
	arm_write(&arm, core, true, 0);
	assert_error(open_core(&opened), KD_ERR_FORMAT, "");
	close_core(&opened);
	arm_release(&arm);
}

static void test_refused(void **state)
{
	expect_refused("");
	expect_refused("NUMBER(VA_BITS)=0\n");
	expect_refused("NUMBER(VA_BITS)=53\n");
	expect_refused("NUMBER(VA_BITS)=48\nNUMBER(TCR_EL1_T1SZ)=0x3f\n");
	expect_refused("NUMBER(VA_BITS)=48\nNUMBER(kimage_voffset)=none\n");
	expect_refused("NUMBER(VA_BITS)=48\nSYMBOL(swapper_pg_dir)=zz\n");
}

/* A filter's whole run: sections, struct pages, free pages, and the stack that the CPU was on. */
static void test_dump(void **state)
{
	const uint64_t base = 0x40000000, vmemmap = UINT64_C(0xfffffc0000000000), stack = UINT64_C(0xffff800008000000);
	const uint64_t first = base >> 12, section = first >> 15;
	struct dumpfilter_options options = { .level = 31 };
	struct dumpfilter_identity identity;
	struct dumpfilter_report report;
	struct dump_check check;
	struct opened opened;
	struct arm arm;
	uint32_t ones = UINT32_MAX;
	uint64_t pointer;

	arm_init(&arm, 12, 48, 4, base);
	arm_info(&arm, "NUMBER(VA_BITS)=48\nNUMBER(TCR_EL1_T1SZ)=0x10\nCRASHTIME=77\n%s", info_6_1);
	arm_info(&arm, "SYMBOL(mem_section)=%lx\nLENGTH(mem_section)=16384\nSIZE(mem_section)=32\n"
		       "OFFSET(mem_section.section_mem_map)=0\nNUMBER(SECTION_SIZE_BITS)=27\nNUMBER(MAX_PHYSMEM_BITS)=48\n",
		 TEXT_VADDR + 2 * 4096);
	pointer = TEXT_VADDR + 3 * 4096;
	memcpy(arm_at(&arm, arm.image_paddr + 2 * 4096 + section / 128 * 8), &pointer, 8);
	pointer = vmemmap | 0xf;
	memcpy(arm_at(&arm, arm.image_paddr + 3 * 4096 + section % 128 * 32), &pointer, 8);
	/* The mem_map of the first 8 MiB, and two pages that it calls free. */
	for (uint64_t i = 0; i < 32; i++) {
		arm_map(&arm, vmemmap + first * 64 + i * 4096, base + 0x600000 + i * 4096, 4096);
		for (unsigned int j = 0; j < 64; j++)
			memcpy(arm_at(&arm, base + 0x600000 + i * 4096 + j * 64 + 48), &ones, 4);
	}
	arm_at(&arm, base + 0x700000);
	arm_at(&arm, base + 0x701000);
	ones = (uint32_t)-129;
	memcpy(arm_at(&arm, base + 0x600000 + 0x700 * 64 + 48), &ones, 4);
	*arm_at(&arm, base + 0x600000 + 0x700 * 64 + 40) = 1;
	arm_map(&arm, stack, base + 0x702000, 4096);
	strcpy((char *)arm_at(&arm, base + 0x702000), "stack");
	arm_write(&arm, core, false, stack + 0x100);

	assert_no_error(open_core(&opened));
	address_space_walk_all(&opened.space);
	assert_true(kd_ranges_contain(&opened.space.walked, base + 0x702000, base + 0x703000));
	close_core(&opened);

	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_false(report.unfiltered);
	assert_int_equal(report.pages[PAGE_FREE], 2);
	assert_int_equal(report.pages_written, arm.count - 2);
	assert_null(dump_check(dump, &check));
	assert_int_equal(check.filled, report.pages_written);
	unlink(dump);
	assert_no_error(dumpfilter_identify(core, &identity));
	assert_string_equal(identity.machine, "aarch64");
	assert_string_equal(identity.release, "6.1.0-test");
	arm_release(&arm);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_dump),
	};
	int failed;

	snprintf(core, sizeof(core), "/tmp/test-aarch64-%d.core", (int)getpid());
	snprintf(dump, sizeof(dump), "/tmp/test-aarch64-%d.dump", (int)getpid());
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(core);
	unlink(dump);
	return failed;
}
