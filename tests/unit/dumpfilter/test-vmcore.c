/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ELF vmcores: reading them, and headers that lie. */
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/elf64.h"
#include "base/io.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

static void test_vmcore(void **state)
{
	struct machine machine;
	struct vmcore *vmcore;
	struct vmcore_window window;
	const uint8_t *data;
	uint8_t buf[8192];
	size_t size;

	machine_init(&machine, 4);
	machine.head_cut = 0x800;
	machine.tail_cut = 0x400;
	memset(machine.ram, 0xaa, 0x1000);
	memset(machine.ram + RAM_SIZE - 0x1000, 0xbb, 0x1000);
	machine_write(&machine, core);
	assert_no_error(vmcore_open(core, &vmcore));
	assert_int_equal(vmcore_cpu_count(vmcore), 2);
	assert_non_null(vmcore_vmcoreinfo(vmcore, &size));
	assert_int_equal(size, strlen(machine.info));
	assert_int_equal(vmcore_end_paddr(vmcore), RAM_SIZE - 0x400);
	/* The image's segment repeats a part of RAM. */
	assert_int_equal(vmcore_ram(vmcore)->count, 1);

	assert_no_error(vmcore_read(vmcore, STEXT_PHYS - 16, buf, 4096));
	assert_memory_equal(buf, machine.ram + STEXT_PHYS - 16, 4096);
	assert_code(vmcore_read(vmcore, 0x7ff, buf, 16), KD_ERR_HOLE);
	assert_code(vmcore_read(vmcore, RAM_SIZE - 0x400, buf, 1), KD_ERR_HOLE);
	assert_code(vmcore_read(vmcore, UINT64_MAX - 4, buf, 16), KD_ERR_HOLE);

	/* What is not RAM of a page reads as zeros, whatever the file has there. */
	vmcore_window_init(&window, vmcore);
	assert_no_error(vmcore_window_get(&window, 0, 8192, buf, &data));
	assert_int_equal(data[0x7ff], 0);
	assert_int_equal(data[0x800], 0xaa);
	assert_no_error(vmcore_window_get(&window, RAM_SIZE - 0x1000, 0x1000, buf, &data));
	assert_int_equal(data[0xbff], 0xbb);
	assert_int_equal(data[0xc00], 0);
	/* A file is read; mapped, as /proc/vmcore is, the bytes are the same. */
	for (int mapped = 0; mapped < 2; mapped++) {
		assert_no_error(vmcore_window_get(&window, UTS_NS - STEXT + STEXT_PHYS, 390, buf, &data));
		assert_string_equal((const char *)data, "Linux");
		assert_int_equal(data != buf, mapped);
		window.no_mmap = false;
	}
	vmcore_window_release(&window);
	vmcore_close(vmcore);

	/* A copy that was cut off still gives what it has. */
	assert_int_equal(truncate(core, 0x4000 + 0x1000000), 0);
	assert_no_error(vmcore_open(core, &vmcore));
	assert_no_error(vmcore_read(vmcore, MEM_MAP, buf, 4096));
	assert_code(vmcore_read(vmcore, STEXT_PHYS, buf, 4096), KD_ERR_HOLE);
	assert_int_equal(vmcore_missing(vmcore), RAM_SIZE - machine.tail_cut - STEXT_PHYS);
	vmcore_close(vmcore);

	/* … but no page of which it has only a part. */
	assert_int_equal(truncate(core, 0x4000 + 0x1000000 - 1), 0);
	assert_no_error(vmcore_open(core, &vmcore));
	assert_code(vmcore_read(vmcore, STEXT_PHYS - 4096, buf, 4096), KD_ERR_HOLE);
	vmcore_close(vmcore);
	machine_release(&machine);
}

static void test_hostile_headers(void **state)
{
	static const uint64_t all_ones = UINT64_MAX, huge = UINT64_C(1) << 60, last = UINT64_MAX - 4095;
	static const uint16_t xnum = PN_XNUM;
	static const struct {
		off_t offset;
		const void *data;
		size_t size;
		enum kd_error_code code;
	} cases[] = {
		{ 0, "\177EXF", 4, KD_ERR_FORMAT },
		{ EI_CLASS, "\1", 1, KD_ERR_UNSUPPORTED },
		{ offsetof(Elf64_Ehdr, e_machine), "\26", 1, KD_ERR_UNSUPPORTED },
		{ offsetof(Elf64_Ehdr, e_phoff), &all_ones, 8, KD_ERR_FORMAT },
		{ offsetof(Elf64_Ehdr, e_phnum), &xnum, 2, KD_ERR_FORMAT },
		{ 64 + offsetof(Elf64_Phdr, p_filesz), &all_ones, 8, KD_ERR_LIMIT },
		{ 64 + offsetof(Elf64_Phdr, p_offset), &huge, 8, KD_ERR_FORMAT },
		{ 120 + offsetof(Elf64_Phdr, p_paddr), &last, 8, KD_ERR_FORMAT },
		{ 120 + offsetof(Elf64_Phdr, p_offset), &all_ones, 8, KD_ERR_FORMAT },
		{ 176 + offsetof(Elf64_Phdr, p_filesz), &huge, 8, KD_ERR_FORMAT },
		{ 176 + offsetof(Elf64_Phdr, p_paddr), &huge, 8, KD_ERR_NOMEM },
	};
	struct dumpfilter_options options = { .level = 31 };
	struct machine machine;

	machine_init(&machine, 4);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		machine_write(&machine, core);
		patch_file(core, cases[i].offset, cases[i].data, cases[i].size);
		assert_code(dumpfilter_run(core, dump, &options, NULL), cases[i].code);
		/* Nothing is left behind by what was no dump. */
		assert_int_equal(access(dump, F_OK), -1);
	}
	machine_release(&machine);
	assert_code(dumpfilter_run("/nonexistent", dump, &options, NULL), KD_ERR_OS);
	assert_code(dumpfilter_run("/dev/null", dump, &options, NULL), KD_ERR_FORMAT);
}

/* More than 65534 program headers, and segments whose tail was left out. */
static void test_many_segments(void **state)
{
	enum { COUNT = 70000 };
	Elf64_Phdr *phdr = calloc(COUNT, sizeof(*phdr));
	Elf64_Shdr shdr = { .sh_info = COUNT };
	struct vmcore *vmcore;
	Elf64_Ehdr ehdr;
	uint64_t word;

	assert_non_null(phdr);
	kd_elf64_core_header(&ehdr, EM_X86_64, PN_XNUM);
	ehdr.e_shoff = sizeof(ehdr) + COUNT * sizeof(*phdr);
	ehdr.e_shentsize = sizeof(shdr);
	for (uint64_t i = 0; i < COUNT; i++)
		phdr[i] = (Elf64_Phdr){ .p_type = PT_LOAD,
					.p_paddr = (COUNT - i) * 0x4000,
					.p_offset = i * 8,
					.p_filesz = 8,
					.p_memsz = 0x3000 };
	int fd = open(core, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(kd_pwrite_all(fd, &ehdr, sizeof(ehdr), 0), 0);
	assert_int_equal(kd_pwrite_all(fd, phdr, COUNT * sizeof(*phdr), sizeof(ehdr)), 0);
	assert_int_equal(kd_pwrite_all(fd, &shdr, sizeof(shdr), (off_t)ehdr.e_shoff), 0);
	close(fd);
	free(phdr);
	assert_no_error(vmcore_open(core, &vmcore));
	assert_int_equal(vmcore_ram(vmcore)->count, COUNT);
	assert_int_equal(kd_ranges_total(vmcore_contents(vmcore)), COUNT * 8);
	assert_no_error(vmcore_read(vmcore, (uint64_t)COUNT * 0x4000, &word, 8));
	assert_memory_equal(&word, &ehdr, 8);
	assert_code(vmcore_read(vmcore, (uint64_t)COUNT * 0x4000 + 1, &word, 8), KD_ERR_HOLE);
	vmcore_close(vmcore);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vmcore),
		cmocka_unit_test(test_hostile_headers),
		cmocka_unit_test(test_many_segments),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
