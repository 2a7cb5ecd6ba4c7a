/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels, device trees and layouts of aarch64, on machines made up here; runs on any host. */
#include <config.h>

#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "kdump/loader/elfcorehdr.h"
#include "kdump/loader/layout.h"
#include "kdump/loader/le.h"
#include "kdump/loader/purgatory/purgatory.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#ifdef HAVE_FDT
#include <libfdt.h>

#include "kdump/loader/device_tree.h"

#define CODE     (256u << 10)
#define IN_MEM   (34u << 20)
#define INITRD   "/boot/initrd"
#define KERNEL   "/boot/Image"
#define TREE_MAX 8192

/* --- kernels ------------------------------------------------------------------------------------------------------ */

static void make_image(uint8_t *file, uint64_t text_offset, uint64_t image_size, uint64_t flags)
{
	memset(file, 0x5a, CODE);
	memcpy(file, "MZ\0\0\0\0\0\x14", 8);
	put_le64(file + 0x08, text_offset);
	put_le64(file + 0x10, image_size);
	put_le64(file + 0x18, flags);
	memcpy(file + 0x38, "ARM\x64", 4);
}

static struct kd_error *parse(const void *data, size_t size, struct kernel_image *ret)
{
	void *copy = malloc(size);

	assert_non_null(copy);
	memcpy(copy, data, size);
	return kernel_image_parse(KERNEL, copy, size, ret);
}

static void test_image(void **state)
{
	static uint8_t file[CODE];
	struct kernel_image kernel;

	make_image(file, 0, IN_MEM, 0xa);
	assert_no_error(parse(file, CODE, &kernel));
	assert_int_equal(kernel.machine, EM_AARCH64);
	assert_int_equal(kernel.load_size, CODE);
	assert_int_equal(kernel.mem_size, IN_MEM);
	assert_int_equal(kernel.align, 2 << 20);
	assert_int_equal(kernel.offset, 0);
	assert_int_equal(kernel.entry, 0);
	kernel_image_free(&kernel);
	/* A signature behind it is not loaded. */
	make_image(file, 0x80000, CODE - 100, 0);
	assert_no_error(parse(file, CODE, &kernel));
	assert_int_equal(kernel.load_size, CODE - 100);
	assert_int_equal(kernel.offset, 0x80000);
	kernel_image_free(&kernel);
}

static void test_image_faults(void **state)
{
	static const struct {
		uint64_t text_offset, image_size, flags;
		enum kd_error_code code;
		const char *message;
	} faults[] = {
		{ 0, 0, 0, KD_ERR_UNSUPPORTED, "older than Linux 3.17" },
		{ 0, IN_MEM, 1, KD_ERR_UNSUPPORTED, "big-endian" },
		{ 0x200000, IN_MEM, 0, KD_ERR_FORMAT, "corrupt" },
		{ 0x80001, IN_MEM, 0, KD_ERR_FORMAT, "corrupt" },
		{ 0, UINT64_MAX, 0, KD_ERR_FORMAT, "corrupt" },
	};
	static uint8_t file[CODE];
	struct kernel_image kernel;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		make_image(file, faults[i].text_offset, faults[i].image_size, faults[i].flags);
		assert_error(parse(file, CODE, &kernel), faults[i].code, faults[i].message);
	}
	make_image(file, 0, IN_MEM, 0);
	assert_error(parse(file, 0x3c, &kernel), KD_ERR_FORMAT, "truncated");
}

/* --- device trees ------------------------------------------------------------------------------------------------- */

/* A tree as the firmware of a virtual machine makes it: memory, PSCI, an initramfs that is reserved, old seeds. */
static size_t make_tree(uint8_t *to, unsigned int cells, bool psci)
{
	static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";
	int chosen;

	assert_int_equal(fdt_create_empty_tree(to, TREE_MAX), 0);
	if (cells) {
		assert_int_equal(fdt_setprop_u32(to, 0, "#address-cells", cells), 0);
		assert_int_equal(fdt_setprop_u32(to, 0, "#size-cells", cells), 0);
	}
	if (psci) {
		int node = fdt_add_subnode(to, 0, "psci");

		assert_int_equal(fdt_setprop(to, node, "compatible", compatible, sizeof(compatible)), 0);
		assert_int_equal(fdt_setprop_string(to, node, "method", "hvc"), 0);
	}
	chosen = fdt_add_subnode(to, 0, "chosen");
	assert_int_equal(fdt_setprop_string(to, chosen, "bootargs", "root=/dev/vda crashkernel=128M"), 0);
	assert_int_equal(fdt_setprop_string(to, chosen, "stdout-path", "/pl011@9000000"), 0);
	assert_int_equal(fdt_setprop_u32(to, chosen, "linux,initrd-start", 0x48000000), 0);
	assert_int_equal(fdt_setprop_u32(to, chosen, "linux,initrd-end", 0x48001234), 0);
	assert_int_equal(fdt_setprop_u64(to, chosen, "linux,uefi-system-table", 0x7ffff0018), 0);
	assert_int_equal(fdt_setprop_u64(to, chosen, "kaslr-seed", 77), 0);
	assert_int_equal(fdt_setprop_u64(to, chosen, "linux,elfcorehdr", 1), 0);
	assert_int_equal(fdt_setprop_u64(to, chosen, "linux,usable-memory-range", 1), 0);
	assert_int_equal(fdt_add_mem_rsv(to, 0x48000000, 0x2000), 0); /* the initramfs, in pages */
	assert_int_equal(fdt_add_mem_rsv(to, 0x50000000, 0x10000), 0);
	return TREE_MAX;
}

static void assert_property(const void *fdt, const char *name, const void *value, size_t size)
{
	const void *found;
	int length;

	found = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), name, &length);
	if (!value) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_int_equal(length, size);
	assert_memory_equal(found, value, size);
}

static void assert_numbers(const void *fdt, const char *name, size_t count, const uint64_t *numbers)
{
	uint8_t bytes[64], *p = bytes;

	for (size_t i = 0; i < count; i++)
		for (int shift = 56; shift >= 0; shift -= 8)
			*p++ = (uint8_t)(numbers[i] >> shift);
	assert_property(fdt, name, bytes, count * 8);
}
#define ASSERT_NUMBERS(fdt, name, ...)                                                                                 \
	assert_numbers(fdt, name, sizeof((uint64_t[]){ __VA_ARGS__ }) / 8, (uint64_t[]){ __VA_ARGS__ })

static const struct kd_range crash[] = { { 0x1af000000, 0x1bf000000 }, { 0xb0000000, 0xb8000000 } };

static struct device_tree_boot boot_of_panic(void)
{
	static const uint8_t seed[8 + 16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };

	return (struct device_tree_boot){
		.cmdline = "console=ttyAMA0",
		.initrd = { 0x1b0000000, 0x1b0012345 },
		.elfcorehdr = { 0x1bf000000 - 0x10000, 0x1bf000000 },
		.usable = crash,
		.usable_count = 2,
		.seed = seed,
		.seed_size = sizeof(seed),
	};
}

static void test_tree(void **state)
{
	uint8_t old[TREE_MAX];
	size_t old_size = make_tree(old, 2, true), size;
	struct device_tree_boot boot = boot_of_panic();
	uint64_t start, length;
	void *fdt, *again;

	assert_int_equal(fdt_add_mem_rsv(old, 0x1beff0000, 0x10000), 0); /* as kexec_file_load(2) does it */
	assert_int_equal(fdt_setprop(old, fdt_path_offset(old, "/chosen"), "linux,elfcorehdr",
				     "\0\0\0\1\xbe\xff\0\0\0\0\0\0\0\1\0\0", 16),
			 0);
	assert_no_error(device_tree_make("/fdt", old, old_size, &boot, &fdt, &size));
	assert_int_equal(fdt_check_full(fdt, size), 0);
	assert_true(size < 1024); /* packed */
	assert_property(fdt, "bootargs", "console=ttyAMA0", 16);
	assert_property(fdt, "stdout-path", "/pl011@9000000", 15);
	ASSERT_NUMBERS(fdt, "linux,uefi-system-table", 0x7ffff0018);
	ASSERT_NUMBERS(fdt, "linux,initrd-start", 0x1b0000000);
	ASSERT_NUMBERS(fdt, "linux,initrd-end", 0x1b0012345);
	ASSERT_NUMBERS(fdt, "linux,elfcorehdr", 0x1beff0000, 0x10000);
	ASSERT_NUMBERS(fdt, "linux,usable-memory-range", 0x1af000000, 0x10000000, 0xb0000000, 0x8000000);
	ASSERT_NUMBERS(fdt, "kaslr-seed", 0x0102030405060708);
	assert_property(fdt, "rng-seed", (const char *)boot.seed + 8, 16);
	/* The old initramfs may be overwritten, everything else that was reserved stays. */
	assert_int_equal(fdt_num_mem_rsv(fdt), 2);
	assert_int_equal(fdt_get_mem_rsv(fdt, 0, &start, &length), 0);
	assert_int_equal(start, 0x50000000);
	assert_int_equal(fdt_get_mem_rsv(fdt, 1, &start, &length), 0);
	assert_int_equal(start, 0x1b0000000);
	assert_int_equal(length, 0x12345);
	assert_string_equal(device_tree_psci_method(fdt, size), "hvc");
	/* A kernel started by this tree loads the next one: nothing piles up. */
	assert_no_error(device_tree_make("/fdt", fdt, size, &boot, &again, &old_size));
	assert_int_equal(old_size, size);
	assert_int_equal(fdt_num_mem_rsv(again), 2);
	free(again);
	free(fdt);
}

static void test_tree_of_reboot(void **state)
{
	uint8_t old[TREE_MAX];
	size_t old_size = make_tree(old, 0, false), size;
	struct device_tree_boot boot = { .cmdline = "" };
	void *fdt;

	assert_no_error(device_tree_make("/fdt", old, old_size, &boot, &fdt, &size));
	assert_property(fdt, "bootargs", "", 1);
	assert_property(fdt, "linux,initrd-start", NULL, 0);
	assert_property(fdt, "linux,elfcorehdr", NULL, 0);
	assert_property(fdt, "linux,usable-memory-range", NULL, 0);
	assert_property(fdt, "kaslr-seed", NULL, 0);
	assert_int_equal(fdt_num_mem_rsv(fdt), 1);
	/* The kernel and libfdt would take different numbers for granted. */
	assert_int_equal(fdt_address_cells(fdt, 0), 2);
	assert_int_equal(fdt_size_cells(fdt, 0), 2);
	assert_null(device_tree_psci_method(fdt, size));
	free(fdt);
}

static void test_tree_faults(void **state)
{
	uint8_t old[TREE_MAX];
	size_t old_size = make_tree(old, 1, false), size;
	struct device_tree_boot boot = boot_of_panic();
	void *fdt;

	assert_error(device_tree_make("/fdt", old, old_size, &boot, &fdt, &size), KD_ERR_LIMIT, "addresses of 32 bits");
	assert_error(device_tree_make("/fdt", old, 100, &boot, &fdt, &size), KD_ERR_FORMAT, "/fdt is not");
	assert_error(device_tree_make("/fdt", old, 3, &boot, &fdt, &size), KD_ERR_FORMAT, "/fdt is not");
	make_tree(old, 3, false);
	assert_error(device_tree_make("/fdt", old, old_size, &boot, &fdt, &size), KD_ERR_UNSUPPORTED, "3 cells");
	old[0] ^= 1;
	assert_error(device_tree_make("/fdt", old, old_size, &boot, &fdt, &size), KD_ERR_FORMAT, "/fdt is not");
}

/* --- layouts ------------------------------------------------------------------------------------------------------ */

/* A machine of 6 GiB with crashkernel=256M,high and 128M of low memory. */
static const char iomem[] = "09000000-09000fff : pl011@9000000\n"
			    "40000000-13fffffff : System RAM\n"
			    "  40210000-4193ffff : Kernel code\n"
			    "  41940000-41f3ffff : reserved\n"
			    "  b0000000-b7ffffff : Crash kernel\n"
			    "140000000-1bfffffff : System RAM\n"
			    "  1af000000-1beffffff : Crash kernel\n"
			    "  1bff00000-1bfffffff : reserved\n";

static void make_kcore(const struct tree *tree, uint64_t direct_map)
{
	const struct {
		uint64_t vaddr, paddr, size;
	} pieces[] = {
		{ 0xffff800008000000, UINT64_MAX, 1 << 30 },   /* vmalloc */
		{ 0xffffca1b58000000, 0x40200000, 0x1e00000 }, /* the image */
		{ direct_map, 0x40000000, (uint64_t)4 << 30 },
	};
	struct {
		Elf64_Ehdr ehdr;
		Elf64_Phdr phdr[3];
	} core = { 0 };

	memcpy(core.ehdr.e_ident, ELFMAG, SELFMAG);
	core.ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	core.ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	core.ehdr.e_ident[EI_VERSION] = EV_CURRENT;
	core.ehdr.e_type = ET_CORE;
	core.ehdr.e_machine = EM_AARCH64;
	core.ehdr.e_version = EV_CURRENT;
	core.ehdr.e_phoff = sizeof(core.ehdr);
	core.ehdr.e_ehsize = sizeof(core.ehdr);
	core.ehdr.e_phentsize = sizeof(core.phdr[0]);
	core.ehdr.e_phnum = 3;
	for (size_t i = 0; i < 3; i++)
		core.phdr[i] = (Elf64_Phdr){ .p_type = PT_LOAD,
					     .p_vaddr = pieces[i].vaddr,
					     .p_paddr = pieces[i].paddr,
					     .p_memsz = pieces[i].size };
	tree_write(tree, "/proc/kcore", &core, sizeof(core));
}

static void make_machine(const struct tree *tree)
{
	static uint8_t file[CODE], initrd[100000];
	uint8_t fdt[TREE_MAX];

	make_image(file, 0, IN_MEM, 0xa);
	tree_write(tree, KERNEL, file, sizeof(file));
	tree_write(tree, INITRD, initrd, sizeof(initrd));
	tree_write(tree, "/sys/firmware/fdt", fdt, make_tree(fdt, 2, true));
	tree_text(tree, "/proc/iomem", iomem);
	tree_text(tree, "/proc/cmdline", "console=ttyAMA0\n");
	tree_text(tree, "/sys/devices/system/cpu/cpu0/crash_notes", "13f7c2000\n");
	tree_text(tree, "/sys/devices/system/cpu/cpu0/crash_notes_size", "488\n");
	tree_text(tree, "/sys/kernel/vmcoreinfo", "0x0000000043100000 1024\n");
	tree_text(tree, "/sys/class/tty/ttyAMA1/iomem_base", "0x9040000\n");
	make_kcore(tree, 0xffff1849c0000000);
}

static struct loader_image *prepare(const struct tree *tree, enum loader_policy policy, const char *cmdline)
{
	struct loader_request request = {
		.root = &tree->root, .policy = policy, .kernel = KERNEL, .initrd = INITRD, .cmdline = cmdline
	};
	struct loader_image *image;

	assert_no_error(loader_prepare(&request, &image));
	return image;
}

static void assert_inside(const struct loader_image *image, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < image->segments.count; i++) {
		const struct segment *segment = &image->segments.segment[i];

		assert_true(segment->mem >= start && segment->mem + segment->memsz <= end);
		assert_int_equal(segment->mem % 0x10000, 0);
		assert_int_equal(segment->memsz % 0x10000, 0);
	}
}

static void test_panic_layout(void **state)
{
	struct tree *tree = *state;
	struct loader_image *image;
	Elf64_Phdr phdr[6];
	Elf64_Ehdr ehdr;

	make_machine(tree);
	image = prepare(tree, LOADER_PANIC, "console=ttyAMA0");
	assert_inside(image, 0x1af000000, 0x1bf000000);
	assert_int_equal(image->kernel_address, 0x1af000000);
	assert_string_equal(image->boot_cmdline, "console=ttyAMA0"); /* no elfcorehdr= */
	ASSERT_NUMBERS(image->boot_info, "linux,usable-memory-range", 0x1af000000, 0x10000000, 0xb0000000, 0x8000000);
	ASSERT_NUMBERS(image->boot_info, "linux,initrd-start", image->initrd_address);
	ASSERT_NUMBERS(image->boot_info, "linux,initrd-end", image->initrd_address + 100000);
	ASSERT_NUMBERS(image->boot_info, "linux,elfcorehdr", image->elfcorehdr_address, 0x10000);
	/* Two notes, the image at its own address, and RAM without the reservations, but with what is reserved. */
	memcpy(&ehdr, image->elfcorehdr, sizeof(ehdr));
	assert_int_equal(ehdr.e_machine, EM_AARCH64);
	assert_int_equal(ehdr.e_phnum, 6);
	memcpy(phdr, (char *)image->elfcorehdr + ehdr.e_phoff, sizeof(phdr));
	assert_int_equal(phdr[2].p_vaddr, 0xffffca1b58000000);
	assert_int_equal(phdr[2].p_paddr, 0x40200000);
	assert_int_equal(phdr[3].p_paddr, 0x40000000);
	assert_int_equal(phdr[3].p_vaddr, 0xffff1849c0000000);
	assert_int_equal(phdr[3].p_memsz, 0x70000000);
	assert_int_equal(phdr[4].p_paddr, 0xb8000000);
	assert_int_equal(phdr[5].p_paddr, 0x1bf000000);
	assert_int_equal(phdr[5].p_memsz, 0x1000000);
	loader_image_free(image);
}

/* Nothing but free memory, within 32 GiB of the kernel. */
static void test_reboot_layout(void **state)
{
	struct tree *tree = *state;
	struct loader_image *image;

	make_machine(tree);
	image = prepare(tree, LOADER_REBOOT, "");
	assert_inside(image, 0x40000000, 0x1bff00000);
	assert_int_equal(image->kernel_address, 0x42000000); /* behind what is reserved */
	loader_image_free(image);
	tree_text(tree, "/proc/iomem",
		  "80000000-ffffffff : System RAM\n"
		  "8000000000-bfffffffff : System RAM\n");
	image = prepare(tree, LOADER_REBOOT, "");
	assert_inside(image, 0x80000000, 0x100000000);
	loader_image_free(image);
}

/* Addresses of 52 bits: kernels before 6.14 die when they load another one for a reboot. */
static void test_five_levels(void **state)
{
	static const struct {
		uint64_t direct_map;
		const char *release;
		enum loader_policy policy;
		bool refused;
	} rows[] = {
		{ 0xfff0000000000000, "6.12.117+deb13-arm64", LOADER_REBOOT, true },
		{ 0xfff0000000000000, "6.9.0", LOADER_REBOOT, true },
		{ 0xfff0000000000000, "6.14.0", LOADER_REBOOT, false },
		{ 0xfff0000000000000, "7.0.1", LOADER_REBOOT, false },
		{ 0xfff0000000000000, "6.12.117+deb13-arm64", LOADER_PANIC, false },
		{ 0xffff1849c0000000, "6.12.117+deb13-arm64", LOADER_REBOOT, false },
	};
	struct tree *tree = *state;

	if (sysconf(_SC_PAGESIZE) != 4096)
		skip();
	make_machine(tree);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct loader_request request = {
			.root = &tree->root, .policy = rows[i].policy, .kernel = KERNEL, .initrd = INITRD, .cmdline = ""
		};
		struct loader_image *image = NULL;

		make_kcore(tree, rows[i].direct_map);
		tree_text(tree, "/proc/sys/kernel/osrelease", rows[i].release);
		if (rows[i].refused)
			assert_error(loader_prepare(&request, &image), KD_ERR_UNSUPPORTED, "with arm64.nolva");
		else
			assert_no_error(loader_prepare(&request, &image));
		loader_image_free(image);
	}
}

static void test_given_tree(void **state)
{
	struct tree *tree = *state;
	struct loader_request request = {
		.root = &tree->root, .policy = LOADER_REBOOT, .kernel = KERNEL, .dtb = "/boot/board.dtb", .cmdline = "a"
	};
	struct loader_image *image;
	uint8_t fdt[TREE_MAX];
	int chosen;

	make_machine(tree);
	assert_error(loader_prepare(&request, &image), KD_ERR_OS, "cannot read the device tree");
	tree_text(tree, "/boot/board.dtb", "not a tree");
	assert_error(loader_prepare(&request, &image), KD_ERR_FORMAT, "/boot/board.dtb is not");
	make_tree(fdt, 2, false);
	chosen = fdt_path_offset(fdt, "/chosen");
	assert_int_equal(fdt_setprop_u64(fdt, chosen, "board", 0xb0a4d), 0);
	tree_write(tree, "/boot/board.dtb", fdt, sizeof(fdt));
	assert_no_error(loader_prepare(&request, &image));
	ASSERT_NUMBERS(image->boot_info, "board", 0xb0a4d);
	loader_image_free(image);
}

/* Its purgatory cannot stop the devices. */
static void test_whole_machine(void **state)
{
	struct tree *tree = *state;
	struct loader_request request = { .root = &tree->root,
					  .policy = LOADER_PANIC,
					  .whole_machine = true,
					  .kernel = KERNEL,
					  .initrd = INITRD,
					  .cmdline = "a" };
	struct loader_image *image;
	uint64_t need;

	make_machine(tree);
	assert_error(loader_prepare(&request, &image), KD_ERR_UNSUPPORTED, "a panic on aarch64 cannot start");
	assert_error(loader_whole_machine_need(&request, &need), KD_ERR_UNSUPPORTED, "a panic on aarch64 cannot start");
}

/* Devices of its own kinds cannot be kept from writing to the memory of the kernel that follows. */
static void test_return(void **state)
{
	struct tree *tree = *state;
	struct loader_request request = {
		.root = &tree->root, .policy = LOADER_RETURN, .kernel = KERNEL, .initrd = INITRD, .cmdline = "a"
	};
	_cleanup_(kd_handover_free) struct kd_handover handover = { 0 };
	struct loader_parts parts = { 0 };

	make_machine(tree);
	assert_error(loader_handover(&request, KERNEL, INITRD, &handover, &parts), KD_ERR_UNSUPPORTED,
		     "only PCI functions can be kept from writing to memory");
}

/* How the purgatory speaks, and how it resets: by the device tree, or by ACPI. */
static void test_ways_out(void **state)
{
	struct purgatory_params params = { 0 };
	struct tree *tree = *state;
	uint8_t fdt[TREE_MAX], fadt[276] = "FACP";

	make_machine(tree);
	loader_arch_aarch64.find_ways_out(&tree->root, "console=ttyAMA0 console=ttyAMA1,115200", &params);
	assert_int_equal(params.serial, 0x9040000);
	assert_int_equal(params.reset, PURGATORY_RESET_HVC);
	loader_arch_aarch64.find_ways_out(&tree->root, "console=ttyAMA1 console=ttyAMA0", &params);
	assert_int_equal(params.serial, 0);
	tree_write(tree, "/sys/firmware/fdt", fdt, make_tree(fdt, 2, false));
	loader_arch_aarch64.find_ways_out(&tree->root, "", &params);
	assert_int_equal(params.reset, PURGATORY_RESET_NONE);
	put_le32(fadt + 129, 1);
	tree_write(tree, "/sys/firmware/acpi/tables/FACP", fadt, sizeof(fadt));
	loader_arch_aarch64.find_ways_out(&tree->root, "", &params);
	assert_int_equal(params.reset, PURGATORY_RESET_SMC);
	put_le32(fadt + 129, 3);
	tree_write(tree, "/sys/firmware/acpi/tables/FACP", fadt, sizeof(fadt));
	loader_arch_aarch64.find_ways_out(&tree->root, "", &params);
	assert_int_equal(params.reset, PURGATORY_RESET_HVC);
	tree_write(tree, "/sys/firmware/acpi/tables/FACP", fadt, 130);
	loader_arch_aarch64.find_ways_out(&tree->root, "", &params);
	assert_int_equal(params.reset, PURGATORY_RESET_NONE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_image),       TEST(test_image_faults),  TEST(test_tree),          TEST(test_tree_of_reboot),
		TEST(test_tree_faults), TEST(test_panic_layout),  TEST(test_reboot_layout), TEST(test_five_levels),
		TEST(test_given_tree),  TEST(test_whole_machine), TEST(test_return),        TEST(test_ways_out),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	puts("1..0 # SKIP built without libfdt");
	return 0;
}
#endif
