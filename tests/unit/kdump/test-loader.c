/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loader on captured machines (tests/data/sysroot-*) with kernels made up here. */
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <zlib.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/sha256.h"
#include "kdump/loader/elfcorehdr.h"
#include "kdump/loader/layout.h"
#include "kdump/loader/le.h"
#include "kdump/loader/purgatory/purgatory.h"
#include "tests/unit/kdump/bzimage.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

/* --- a directory for what a test makes ---------------------------------------------------------------------------- */

static char directory[TEMPORARY_SIZE];

static int make_directory(void **state)
{
	temporary_make(directory);
	return 0;
}

static int remove_directory(void **state)
{
	temporary_remove(directory);
	return 0;
}

static const char *write_file(const char *name, const void *data, size_t size)
{
	static char path[256];
	char *slash;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	slash = strrchr(path, '/');
	*slash = '\0';
	assert_no_error(kd_mkdir_p(path, 0755));
	*slash = '/';
	assert_no_error(kd_write_file_atomic(path, data, size, 0644));
	return path;
}

static void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

/* --- kernels ------------------------------------------------------------------------------------------------------ */

static struct kd_error *parse(const void *data, size_t size, struct kernel_image *ret)
{
	void *copy = malloc(size);

	assert_non_null(copy);
	memcpy(copy, data, size);
	return kernel_image_parse("/boot/vmlinuz", copy, size, ret);
}

static void test_bzimage(void **state)
{
	struct kernel_image kernel;
	struct bzimage image;

	make_bzimage(&image, 0x3f98000);
	assert_no_error(parse(&image, sizeof(image), &kernel));
	assert_string_equal(kernel.format, "bzImage");
	assert_int_equal(kernel.machine, EM_X86_64);
	assert_ptr_equal(kernel.load, kernel.file + SETUP_SIZE);
	assert_int_equal(kernel.load_size, CODE_SIZE);
	assert_int_equal(kernel.mem_size, 0x3f98000);
	assert_int_equal(kernel.align, 0x200000);
	assert_int_equal(kernel.lowest, 0x1000000);
	assert_int_equal(kernel.entry, 0x200);
	assert_int_equal(kernel.cmdline_max, 2047);
	assert_true(kernel.five_level);
	kernel_image_free(&kernel);
}

static void test_bzimage_compressed_as_a_whole(void **state)
{
	struct kernel_image kernel;
	struct bzimage image;
	char path[256], *data;
	size_t size;
	gzFile gz;

	make_bzimage(&image, 0x3f98000);
	strcpy(path, write_file("vmlinuz.gz", "", 0));
	gz = gzopen(path, "wb");
	assert_int_equal(gzwrite(gz, &image, sizeof(image)), sizeof(image));
	gzclose(gz);
	assert_no_error(kd_read_file(path, 1 << 20, &data, &size));
	assert_no_error(parse(data, size, &kernel));
	assert_int_equal(kernel.load_size, CODE_SIZE);
	assert_memory_equal(kernel.file, &image, sizeof(image));
	kernel_image_free(&kernel);
	assert_error(parse(data, size / 2, &kernel), KD_ERR_FORMAT, "cannot expand kernel /boot/vmlinuz");
	free(data);
}

/* One field changed each time, and the words that must be in the message. */
static const struct {
	unsigned int offset, value, size;
	enum kd_error_code code;
	const char *message;
} faults[] = {
	{ 0x206, 0x0209, 2, KD_ERR_UNSUPPORTED, "older than Linux 3.8" },
	{ 0x236, 0x7e, 2, KD_ERR_UNSUPPORTED, "32-bit x86 kernel" },
	{ 0x236, 0x7d, 2, KD_ERR_UNSUPPORTED, "above 4 GiB" },
	{ 0x211, 0, 1, KD_ERR_UNSUPPORTED, "zImage" },
	{ 0x234, 0, 1, KD_ERR_UNSUPPORTED, "not relocatable" },
	{ 0x1fe, 0, 2, KD_ERR_FORMAT, "is not a kernel" },
	{ 0x202, 0, 4, KD_ERR_FORMAT, "is not a kernel" },
	{ 0x1f1, 200, 1, KD_ERR_FORMAT, "truncated" },
	{ 0x1f4, 0xffffffff, 4, KD_ERR_FORMAT, "truncated" },
	{ 0x201, 0, 1, KD_ERR_FORMAT, "cut short" },
	{ 0x230, 0, 4, KD_ERR_FORMAT, "corrupt" },
	{ 0x230, 0x300000, 4, KD_ERR_FORMAT, "corrupt" },
	{ 0x260, 100, 4, KD_ERR_FORMAT, "corrupt" },
};

static void test_bzimage_faults(void **state)
{
	struct kernel_image kernel;
	struct bzimage image;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		uint8_t value[4];

		make_bzimage(&image, 0x3f98000);
		put_le32(value, faults[i].value);
		memcpy(image.byte + faults[i].offset, value, faults[i].size);
		assert_error(parse(&image, sizeof(image), &kernel), faults[i].code, faults[i].message);
	}
}

static void test_truncated_anywhere(void **state)
{
	struct kernel_image kernel;
	struct bzimage image;
	size_t size;

	make_bzimage(&image, 0x3f98000);
	for (size = 1; size < sizeof(image); size += size < 0x300 ? 1 : 997) {
		struct kd_error *err = parse(&image, size, &kernel);

		assert_non_null(err);
		assert_int_equal(err->code, KD_ERR_FORMAT);
		kd_error_destroy(err);
	}
}

static void test_other_formats(void **state)
{
	struct kernel_image kernel;
	uint8_t file[512] = { 0 };

	assert_error(parse("#!/bin/sh\n", 10, &kernel), KD_ERR_FORMAT, "/boot/vmlinuz is not a kernel");
	memcpy(file + 0x38, "ARM\x64", 4);
	assert_error(parse(file, sizeof(file), &kernel), KD_ERR_UNSUPPORTED, "is older than Linux 3.17");
	memcpy(file + 0x38, "\0\0\0\0", 4);
	memcpy(file, "\177ELF", 4);
	assert_error(parse(file, sizeof(file), &kernel), KD_ERR_UNSUPPORTED,
		     "an ELF file, which cannot be loaded here");
	memcpy(file, "MZ\0\0", 4);
	put_le32(file + 0x3c, 0x80);
	memcpy(file + 0x80, "PE\0\0", 4);
	assert_error(parse(file, sizeof(file), &kernel), KD_ERR_UNSUPPORTED,
		     "give a vmlinuz file or a unified kernel image");
	put_le32(file + 0x3c, 0xfffffff0);
	assert_error(parse(file, sizeof(file), &kernel), KD_ERR_FORMAT, "is not a kernel");
}

/* A unified kernel image: the section table names the kernel in it. */
static void test_uki(void **state)
{
	_cleanup_(kernel_image_free) struct kernel_image kernel = { 0 };
	struct kernel_image none;
	struct bzimage image;
	size_t size = 1024 + sizeof(image);
	_cleanup_free_ uint8_t *file = calloc(1, size);

	assert_non_null(file);
	make_bzimage(&image, 0x3f98000);
	memcpy(file, "MZ", 2);
	put_le32(file + 0x3c, 0x80);
	memcpy(file + 0x80, "PE\0\0", 4);
	file[0x80 + 6] = 2;     /* sections */
	file[0x80 + 20] = 0x10; /* bytes of the optional header */
	memcpy(file + 0xa8, ".cmdline", 8);
	memcpy(file + 0xd0, ".linux\0", 8);
	put_le32(file + 0xd0 + 8, sizeof(image));
	put_le32(file + 0xd0 + 16, sizeof(image) + 512);
	put_le32(file + 0xd0 + 20, 1024);
	memcpy(file + 1024, &image, sizeof(image));
	assert_no_error(parse(file, size, &kernel));
	assert_string_equal(kernel.format, "bzImage");
	assert_int_equal(kernel.file_size, sizeof(image));
	assert_memory_equal(kernel.file, &image, sizeof(image));
	assert_error(parse(file, size - 1, &none), KD_ERR_FORMAT,
		     "/boot/vmlinuz is truncated: its section .linux ends at byte");
	assert_error(parse(file, 0xe0, &none), KD_ERR_UNSUPPORTED, "a PE file without a kernel in it");
}

/* --- whole layouts ------------------------------------------------------------------------------------------------ */

struct machine {
	struct kd_sysroot root, files;
	struct loader_request request;
	char kernel[128], initrd[128];
};

static void machine_open(struct machine *m, const char *root, uint32_t init_size, size_t initrd_size)
{
	struct bzimage image;
	char *initrd = calloc(1, initrd_size);

	make_bzimage(&image, init_size);
	strcpy(m->kernel, write_file("vmlinuz", &image, sizeof(image)));
	strcpy(m->initrd, write_file("initrd", initrd, initrd_size));
	free(initrd);
	assert_no_error(kd_sysroot_open(root, &m->root));
	assert_no_error(kd_sysroot_open(NULL, &m->files));
	m->request = (struct loader_request){
		.root = &m->root,
		.files = &m->files,
		.policy = LOADER_PANIC,
		.kernel = m->kernel,
		.initrd = m->initrd,
		.cmdline = "console=ttyS1,115200 nr_cpus=1",
	};
}

static void machine_close(struct machine *m)
{
	kd_sysroot_close(&m->root);
	kd_sysroot_close(&m->files);
}

static void assert_segments_sane(const struct loader_image *image)
{
	size_t i, j;

	for (i = 0; i < image->segments.count; i++) {
		const struct segment *s = &image->segments.segment[i];

		assert_int_equal(s->mem % 4096, 0);
		assert_int_equal(s->memsz % 4096, 0);
		assert_true(s->memsz >= s->bufsz);
		if (strcmp(s->name, "kernel") == 0)
			assert_true(s->memsz >= image->kernel.mem_size && s->mem % image->kernel.align == 0);
		for (j = 0; j < i; j++) {
			const struct segment *t = &image->segments.segment[j];

			assert_true(s->mem + s->memsz <= t->mem || t->mem + t->memsz <= s->mem);
		}
		if (image->policy != LOADER_PANIC)
			continue;
		assert_true(s->mem >= image->memory.crash_main.start);
		assert_true(s->mem + s->memsz <= image->memory.crash_main.end);
	}
}

/* Is there a piece of the reservation that is left to the kernel's control pages? */
static void assert_hole(const struct loader_image *image)
{
	struct kd_ranges left = { 0 };
	uint64_t at;
	size_t i;

	kd_ranges_add(&left, image->memory.crash_main.start, image->memory.crash_main.end);
	for (i = 0; i < image->segments.count; i++)
		kd_ranges_subtract(&left, image->segments.segment[i].mem,
				   image->segments.segment[i].mem + image->segments.segment[i].memsz);
	assert_true(kd_ranges_find(&left, 64 << 10, 16 << 10, 0, UINT64_MAX, false, &at));
	kd_ranges_free(&left);
}

struct e820 {
	uint64_t start, end;
	uint32_t type;
};

static size_t read_e820(const struct loader_image *image, struct e820 *ret)
{
	const uint8_t *zp = image->boot_info, *p = zp + 0x2d0;
	size_t count = zp[0x1e8], i;

	for (i = 0; i < count; i++, p += 20) {
		ret[i].start = get_le64(p);
		ret[i].end = ret[i].start + get_le64(p + 8);
		ret[i].type = get_le32(p + 16);
		if (i)
			assert_true(ret[i].start >= ret[i - 1].end);
	}
	return count;
}

static bool e820_covers(const struct e820 *e820, size_t count, uint32_t type, uint64_t start, uint64_t end)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (e820[i].type == type && e820[i].start <= start && end <= e820[i].end)
			return true;
	return false;
}

/* RAM of the panic kernel: inside the reservation or below 1 MiB, all segments but the elfcorehdr. */
static void assert_panic_e820(const struct loader_image *image)
{
	struct e820 e820[128];
	size_t count = read_e820(image, e820), i;
	bool low = false;

	for (i = 0; i < count; i++) {
		if (e820[i].type != 1)
			continue;
		assert_true(e820[i].end <= 1 << 20 ||
			    kd_ranges_contain(&image->memory.crash, e820[i].start, e820[i].end));
		low |= e820[i].end <= 1 << 20 && e820[i].end - e820[i].start >= 0x80000;
	}
	assert_true(low);
	for (i = 0; i < image->segments.count; i++) {
		const struct segment *s = &image->segments.segment[i];

		assert_int_equal(e820_covers(e820, count, 1, s->mem, s->mem + 1), strcmp(s->name, "elfcorehdr") != 0);
	}
}

static void assert_zero_page(const struct loader_image *image)
{
	const uint8_t *zp = image->boot_info;
	uint64_t cmdline = get_le32(zp + 0x228) | (uint64_t)get_le32(zp + 0xc8) << 32;
	uint64_t initrd = get_le32(zp + 0x218) | (uint64_t)get_le32(zp + 0xc0) << 32;

	assert_memory_equal(zp + 0x202, "HdrS", 4);
	assert_int_equal(get_le32(zp + 0x260), image->kernel.mem_size);
	assert_int_equal(get_le32(zp + 0x230), 0x200000);
	assert_int_equal(zp[0x210], 0xd0);
	assert_int_equal(zp[0x1ef], 0);
	assert_int_equal(initrd, segments_find(&image->segments, "initramfs")->mem);
	assert_int_equal(get_le32(zp + 0x21c), image->initrd.size);
	assert_string_equal((const char *)zp + (cmdline - image->boot_info_address), image->boot_cmdline);
}

/* Facts that the next kernel can only get from this one. */
static void assert_inherited(const struct loader_image *image, const struct kd_sysroot *root, bool efi)
{
	const uint8_t *zp = image->boot_info, *descriptors;
	uint64_t first;
	size_t size;
	char *old;

	assert_no_error(kd_sysroot_read(root, "/sys/kernel/boot_params/data", &old, &size));
	assert_int_equal(size, 4096);
	assert_memory_equal(zp + 4, old + 4, 60);          /* screen_info */
	assert_memory_equal(zp + 0x140, old + 0x140, 128); /* EDID */
	assert_true(get_le64(zp + 0x70) != 0);
	assert_memory_equal(zp + 0x1c0, efi ? old + 0x1c0 : (char[4]){ 0 }, 4);
	free(old);
	assert_int_equal(get_le32(zp + 0x1c8), efi ? 40 : 0);
	assert_int_equal(get_le32(zp + 0x1d4), efi ? 7 * 40 : 0);
	if (!efi)
		return;
	descriptors = zp + (get_le32(zp + 0x1d0) | (uint64_t)get_le32(zp + 0x1dc) << 32) - image->boot_info_address;
	assert_no_error(kd_sysroot_read_u64(root, 0, &first, "/sys/firmware/efi/runtime-map/0/phys_addr"));
	assert_int_equal(get_le64(descriptors + 8), first);
}

static const struct purgatory_params *params_of(const struct loader_image *image)
{
	return (const void *)((const char *)image->purgatory + PURGATORY_PARAMS);
}

static void assert_purgatory(const struct loader_image *image)
{
	const struct purgatory_params *params = params_of(image);
	size_t i;

	assert_int_equal(params->entry, image->kernel_address + 0x200);
	assert_int_equal(params->boot_info, image->boot_info_address);
	assert_int_equal(params->serial, 0x2f8);
	for (i = 0; i < params->regions; i++) {
		const struct purgatory_region *r = &params->region[i];
		const struct segment *s = segments_find(&image->segments, r->name);
		uint8_t digest[KD_SHA256_SIZE], *memory;
		struct kd_sha256 ctx;

		assert_non_null(s);
		assert_int_equal(r->start, s->mem);
		assert_true(r->size >= s->bufsz && r->size <= s->memsz);
		memory = calloc(1, r->size);
		memcpy(memory, s->buf, s->bufsz);
		kd_sha256_init(&ctx);
		kd_sha256_update(&ctx, memory, r->size);
		kd_sha256_final(&ctx, digest);
		free(memory);
		assert_memory_equal(digest, r->digest, sizeof(digest));
	}
}

/* Notes first; then the kernel's image, then memory: all RAM from 1 MiB on but the reservations, at its place in the
 * direct map. */
static void assert_elfcorehdr(const struct loader_image *image, unsigned int notes, uint64_t direct_map)
{
	struct kd_ranges expected = { 0 };
	const char *data = image->elfcorehdr;
	Elf64_Phdr phdr;
	Elf64_Ehdr ehdr;
	size_t i;

	kd_ranges_copy(&image->memory.ram, &expected);
	kd_ranges_subtract(&expected, 0, 1 << 20);
	kd_ranges_subtract_all(&expected, &image->memory.crash);
	memcpy(&ehdr, data, sizeof(ehdr));
	assert_int_equal(ehdr.e_type, ET_CORE);
	assert_int_equal(ehdr.e_machine, EM_X86_64);
	assert_int_equal(ehdr.e_phnum, notes + 1 + expected.count);
	assert_int_equal(image->elfcorehdr_size, sizeof(ehdr) + ehdr.e_phnum * sizeof(phdr));
	for (i = 0; i < ehdr.e_phnum; i++) {
		memcpy(&phdr, data + ehdr.e_phoff + i * sizeof(phdr), sizeof(phdr));
		assert_int_equal(phdr.p_type, i < notes ? PT_NOTE : PT_LOAD);
		assert_int_equal(phdr.p_offset, phdr.p_paddr);
		assert_int_equal(phdr.p_filesz, phdr.p_memsz);
		if (i < notes)
			assert_int_equal(phdr.p_memsz, i < notes - 1 ? 368 : 0x1024);
		if (i == notes)
			assert_true(phdr.p_vaddr >= 0xffffffff80000000);
		if (i <= notes)
			continue;
		assert_int_equal(phdr.p_paddr, expected.range[i - notes - 1].start);
		assert_int_equal(phdr.p_paddr + phdr.p_memsz, expected.range[i - notes - 1].end);
		assert_int_equal(phdr.p_vaddr, phdr.p_paddr + direct_map);
	}
	kd_ranges_free(&expected);
}

static const struct {
	const char *root;
	unsigned int notes;
	uint64_t direct_map, crash_main;
	bool efi, hotplug;
} machines[] = {
	{ TEST_DATA "/sysroot-x86-bios", 3, 0xff1f6a9d40000000, 0x6f000000, false, false },
	{ TEST_DATA "/sysroot-x86-efi", 3, 0xff25ba6ac0000000, 0x6b000000, true, true },
	{ TEST_DATA "/sysroot-x86-high", 3, 0xff1df05bc0000000, 0x1af000000, false, false },
};

static void test_panic_layout(void **state)
{
	size_t i;

	if (!loader_arch_x86_64.purgatory)
		end_test("no purgatory for x86_64 in this build");
	for (i = 0; i < ARRAY_SIZE(machines); i++) {
		struct loader_image *image;
		struct machine m;
		char word[64];

		machine_open(&m, machines[i].root, 0x3f98000, 1 << 20);
		assert_no_error(loader_prepare(&m.request, &image));
		assert_int_equal(image->memory.crash_main.start, machines[i].crash_main);
		assert_segments_sane(image);
		assert_hole(image);
		assert_zero_page(image);
		assert_panic_e820(image);
		assert_elfcorehdr(image, machines[i].notes, machines[i].direct_map);
		assert_purgatory(image);
		assert_int_equal(image->hotplug, machines[i].hotplug);
		assert_int_equal(params_of(image)->regions, machines[i].hotplug ? 3 : 4);
		assert_inherited(image, &m.root, machines[i].efi);
		snprintf(word, sizeof(word), " elfcorehdr=0x%" PRIx64, image->elfcorehdr_address);
		assert_string_equal(strstr(image->boot_cmdline, " elfcorehdr="), word);
		loader_image_free(image);
		machine_close(&m);
	}
}

/* A kernel that a panic starts and that gets all memory: it lies in the reservation, and knows the rest. */
static void test_whole_machine_layout(void **state)
{
	size_t i, j;

	if (!loader_arch_x86_64.purgatory)
		end_test("no purgatory for x86_64 in this build");
	for (i = 0; i < ARRAY_SIZE(machines); i++) {
		struct loader_image *image;
		struct e820 e820[128];
		struct machine m;
		uint64_t need;
		size_t count;

		machine_open(&m, machines[i].root, 0x3f98000, 1 << 20);
		m.request.whole_machine = true;
		assert_no_error(loader_prepare(&m.request, &image));
		assert_segments_sane(image);
		assert_hole(image);
		assert_zero_page(image);
		assert_inherited(image, &m.root, machines[i].efi);
		assert_purgatory(image);
		assert_int_equal(params_of(image)->regions, 3);
		assert_int_equal(params_of(image)->stop_devices, 1);
		assert_null(image->elfcorehdr);
		assert_false(image->hotplug);
		assert_int_equal(image->call, LOADER_CALL_LOAD);
		assert_string_equal(image->boot_cmdline, m.request.cmdline);
		count = read_e820(image, e820);
		for (j = 0; j < image->memory.ram.count; j++)
			assert_true(e820_covers(e820, count, 1, image->memory.ram.range[j].start,
						image->memory.ram.range[j].end));
		assert_no_error(loader_whole_machine_need(&m.request, &need));
		assert_true(need >= 0x3f98000 + (1 << 20) && need < 0x3f98000 + (8 << 20));
		loader_image_free(image);
		machine_close(&m);
	}
}

static void test_reboot_layout(void **state)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(machines); i++) {
		struct loader_image *image;
		struct e820 e820[128];
		struct machine m;
		size_t count;

		machine_open(&m, machines[i].root, 0x3f98000, 1 << 20);
		m.request.policy = LOADER_REBOOT;
		assert_no_error(loader_prepare(&m.request, &image));
		assert_segments_sane(image);
		assert_zero_page(image);
		assert_inherited(image, &m.root, machines[i].efi);
		assert_null(image->elfcorehdr);
		assert_string_equal(image->boot_cmdline, m.request.cmdline);
		count = read_e820(image, e820);
		for (j = 0; j < image->segments.count; j++) {
			const struct segment *s = &image->segments.segment[j];

			assert_true(e820_covers(e820, count, 1, s->mem, s->mem + s->memsz));
			assert_true(s->mem >= 1 << 20);
			assert_false(kd_ranges_contain(&image->memory.crash, s->mem, s->mem + 1));
		}
		loader_image_free(image);
		machine_close(&m);
	}
}

/* --- machines made up --------------------------------------------------------------------------------------------- */

/* A minimal machine whose /proc/iomem is @iomem. */
static void make_machine(struct machine *m, const char *iomem, uint32_t init_size, size_t initrd_size)
{
	char root[128];

	snprintf(root, sizeof(root), "%s/root", directory);
	write_text("root/proc/iomem", iomem);
	write_text("root/proc/cpuinfo", "flags\t\t: fpu la57\n");
	write_text("root/sys/kernel/vmcoreinfo", "0x1234000 1024\n");
	write_text("root/sys/devices/system/cpu/cpu0/crash_notes", "5678000\n");
	write_text("root/sys/devices/system/cpu/cpu0/crash_notes_size", "368\n");
	machine_open(m, root, init_size, initrd_size);
}

#define IOMEM_64M                                                                                                      \
	"00001000-0009fbff : System RAM\n"                                                                             \
	"00100000-7fffffff : System RAM\n"                                                                             \
	"  70000000-73ffffff : Crash kernel\n"

static void test_no_reservation(void **state)
{
	struct loader_image *image;
	struct machine m;

	make_machine(&m, "00100000-7fffffff : System RAM\n", 0x3f98000, 4096);
	assert_error(loader_prepare(&m.request, &image), KD_ERR_STATE, "boot with crashkernel=");
	machine_close(&m);
}

/* What the estimate asks for is enough, and a page less is refused. */
static void test_whole_machine_room(void **state)
{
	static const uint64_t start = 0x70000000;
	struct loader_image *image;
	uint64_t need;
	size_t i;

	for (i = 0; i < 2; i++) {
		char iomem[128];
		struct machine m;

		make_machine(&m, IOMEM_64M, 0x3f98000, 5 << 20);
		m.request.whole_machine = true;
		assert_error(loader_prepare(&m.request, &image), KD_ERR_LIMIT, "with a larger crashkernel=");
		assert_no_error(loader_whole_machine_need(&m.request, &need));
		machine_close(&m);
		snprintf(iomem, sizeof(iomem),
			 "00100000-7fffffff : System RAM\n  %08" PRIx64 "-%08" PRIx64 " : Crash kernel\n", start,
			 start + need - 1 - i * SEGMENT_PAGE);
		make_machine(&m, iomem, 0x3f98000, 5 << 20);
		m.request.whole_machine = true;
		if (i) {
			assert_error(loader_prepare(&m.request, &image), KD_ERR_LIMIT, "are reserved");
		} else {
			assert_no_error(loader_prepare(&m.request, &image));
			loader_image_free(image);
		}
		machine_close(&m);
	}
}

/* kexec_file_load(2) would give it nothing but the reservation. */
static void test_whole_machine_lockdown(void **state)
{
	struct loader_image *image;
	struct machine m;

	make_machine(&m, IOMEM_64M, 0x1000000, 4096);
	write_text("root/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	m.request.whole_machine = true;
	assert_error(loader_prepare(&m.request, &image), KD_ERR_STATE, "lockdown (integrity)");
	machine_close(&m);
}

/* Keys lie behind the initramfs, in memory alone, where the capture kernel looks for another archive. */
static void test_secret(void **state)
{
	_cleanup_(loader_image_free) struct loader_image *plain = NULL, *image = NULL;
	_cleanup_free_ char *printed = NULL;
	struct kd_sha256 before, after;
	uint8_t hash[2][32];
	size_t size;
	struct machine m;
	FILE *out;

	make_machine(&m, IOMEM_64M, 0x1f98000, 4095);
	assert_no_error(loader_prepare(&m.request, &plain));
	m.request.secret = "070701: a key";
	m.request.secret_size = 13;
	assert_no_error(loader_prepare(&m.request, &image));
	assert_int_equal(plain->initrd.size, 4095);
	assert_int_equal(image->initrd.size, 4096 + 13);
	assert_int_equal(image->initrd.data[4095], 0);
	assert_memory_equal(image->initrd.data + 4096, "070701: a key", 13);
	assert_int_equal(segments_find(&image->segments, "initramfs")->bufsz, 4096 + 13);
	assert_ptr_equal(segments_find(&image->segments, "initramfs")->buf, image->initrd.data);
	kd_sha256_init(&before);
	loader_image_hash(plain, &before);
	kd_sha256_final(&before, hash[0]);
	kd_sha256_init(&after);
	loader_image_hash(image, &after);
	kd_sha256_final(&after, hash[1]);
	assert_memory_not_equal(hash[0], hash[1], sizeof(hash[0]));
	out = open_memstream(&printed, &size);
	assert_non_null(out);
	loader_print(image, out);
	assert_int_equal(fclose(out), 0);
	assert_null(strstr(printed, "a key"));
	machine_close(&m);
}

static void test_hidden_iomem(void **state)
{
	struct loader_image *image;
	struct machine m;

	make_machine(&m, "00000000-00000000 : System RAM\n  00000000-00000000 : Crash kernel\n", 0x3f98000, 4096);
	assert_error(loader_prepare(&m.request, &image), KD_ERR_STATE, "as root");
	machine_close(&m);
}

static void test_reservation_too_small(void **state)
{
	struct loader_image *image;
	struct machine m;

	make_machine(&m, IOMEM_64M, 64 << 20, 4096);
	assert_error(loader_prepare(&m.request, &image), KD_ERR_LIMIT,
		     "at least 65 MiB are needed (kernel 64, initramfs 1 packed and as much unpacked), "
		     "64 MiB are reserved");
	machine_close(&m);
	make_machine(&m, IOMEM_64M, 20 << 20, 30 << 20);
	assert_error(loader_prepare(&m.request, &image), KD_ERR_LIMIT, "at least 81 MiB are needed");
	machine_close(&m);
	make_machine(&m, IOMEM_64M, 60 << 20, 1 << 20);
	assert_no_error(loader_prepare(&m.request, &image));
	assert_segments_sane(image);
	assert_hole(image);
	loader_image_free(image);
	machine_close(&m);
}

/* The kernel fits, but no memory is left for the running kernel's page tables. */
static void test_control_pages(void **state)
{
	struct loader_image *image;
	struct machine m;

	make_machine(&m,
		     "00001000-0009fbff : System RAM\n00100000-7fffffff : System RAM\n"
		     "  60000000-63ffffff : Crash kernel\n  70000000-73ffffff : Crash kernel\n",
		     60 << 20, (4 << 20) - (40 << 10));
	assert_error(loader_prepare(&m.request, &image), KD_ERR_LIMIT, "no room for the initramfs");
	machine_close(&m);
}

static void test_reboot_keeps_out(void **state)
{
	struct loader_image *image;
	struct machine m;

	/* Of the panic kernel at the top, and of a table above it. */
	make_machine(&m,
		     "00001000-0009fbff : System RAM\n00100000-7fffffff : System RAM\n"
		     "  70000000-7effffff : Crash kernel\n7f000000-7fffffff : ACPI Tables\n",
		     30 << 20, 30 << 20);
	m.request.policy = LOADER_REBOOT;
	assert_no_error(loader_prepare(&m.request, &image));
	assert_segments_sane(image);
	assert_int_equal(segments_find(&image->segments, "initramfs")->mem, 0x70000000 - (30 << 20));
	loader_image_free(image);
	machine_close(&m);
}

/* Memory of crashkernel=…,cma is RAM of the capture kernel, and is not dumped. */
static void test_cma(void **state)
{
	struct loader_image *image;
	struct e820 e820[64];
	struct machine m;
	Elf64_Ehdr ehdr;
	size_t count;

	make_machine(&m, IOMEM_64M, 20 << 20, 4096);
	write_text("root/sys/kernel/kexec/crash_cma_ranges", "20000000-20ffffff\n30000000-307fffff\n");
	assert_no_error(loader_prepare(&m.request, &image));
	assert_true(kd_ranges_contain(&image->memory.cma, 0x30000000, 0x30800000));
	assert_int_equal(kd_ranges_total(&image->memory.cma), 24 << 20);
	count = read_e820(image, e820);
	assert_true(e820_covers(e820, count, 1, 0x20000000, 0x21000000));
	assert_true(e820_covers(e820, count, 1, 0x30000000, 0x30800000));
	memcpy(&ehdr, image->elfcorehdr, sizeof(ehdr));
	for (size_t i = 0; i < ehdr.e_phnum; i++) {
		Elf64_Phdr phdr;

		memcpy(&phdr, (char *)image->elfcorehdr + ehdr.e_phoff + i * sizeof(phdr), sizeof(phdr));
		if (phdr.p_type == PT_LOAD)
			assert_true(phdr.p_paddr + phdr.p_memsz <= 0x20000000 || phdr.p_paddr == 0x21000000 ||
				    phdr.p_paddr >= 0x30800000);
	}
	loader_image_free(image);
	machine_close(&m);
}

/* --- a kernel to return to ---------------------------------------------------------------------------------------- */

static const struct kd_handover_segment *handed(const struct kd_handover *handover, const char *name, size_t *number)
{
	for (size_t i = 0; i < handover->segments; i++)
		if (strcmp(handover->segment[i].name, name) == 0) {
			*number = i;
			return &handover->segment[i];
		}
	fail_msg("no segment %s", name);
	return NULL;
}

/* The physical address that @address leads to by the tables in @data, which lie at @base; UINT64_MAX: to nothing. */
static uint64_t translate(const uint8_t *data, uint64_t base, unsigned int levels, uint64_t address)
{
	const uint64_t mask = 0xffffffffff000;
	uint64_t table = levels == 5 ? base + 4096 : base, entry = 0;

	for (unsigned int level = levels; level >= 2; level--) {
		entry = get_le64(data + (table - base) + (address >> (12 + 9 * (level - 1)) & 511) * 8);
		if (!(entry & 1) || !(entry & 2))
			return UINT64_MAX;
		table = entry & mask;
	}
	return entry & 0x80 ? (entry & ~UINT64_C(0x1fffff) & mask) + (address & 0x1fffff) : UINT64_MAX;
}

static void assert_identity(const struct kd_handover *handover, const struct loader_parts *parts)
{
	static const uint64_t addresses[] = { 0, 0x1234567, 0x10000000, 0x7fffffff, 0x80000000, 0xffffffff };
	size_t number = 0;
	const struct kd_handover_segment *tables = handed(handover, "page-tables", &number);
	const uint8_t *data = parts->part[number].data;

	assert_int_equal(parts->part[number].size, 7 * 4096);
	for (unsigned int levels = 4; levels <= 5; levels++) {
		for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
			assert_int_equal(translate(data, tables->address, levels, addresses[i]), addresses[i]);
		assert_int_equal(translate(data, tables->address, levels, UINT64_C(1) << 32), UINT64_MAX);
	}
}

/* Nothing lies where the capture kernel lives, or where no memory is. */
static void assert_places(const struct kd_handover *handover, const struct loader_parts *parts,
			  const struct kd_sysroot *root)
{
	_cleanup_(memory_map_free) struct memory_map memory = { 0 };

	assert_no_error(memory_map_read(root, &memory));
	for (size_t i = 0; i < handover->segments; i++) {
		const struct kd_handover_segment *segment = &handover->segment[i];
		uint64_t end = segment->address + segment->memory;

		assert_true(segment->address >= 0x10000000 && end <= UINT64_C(1) << 32);
		assert_true(kd_ranges_contain(&memory.ram, segment->address, end));
		for (size_t c = 0; c < memory.crash.count; c++)
			assert_true(end <= memory.crash.range[c].start ||
				    segment->address >= memory.crash.range[c].end);
		assert_int_equal(segment->in_image, parts->part[i].data != NULL);
	}
}

/* The kernel's file is what is loaded; into what lies behind it the kernel expands itself. */
static void assert_kernel(const struct kd_handover *handover)
{
	size_t number = 0;
	const struct kd_handover_segment *kernel = handed(handover, "kernel", &number);

	assert_string_equal(kernel->file, "/boot/vmlinuz");
	assert_int_equal(kernel->offset, SETUP_SIZE);
	assert_int_equal(kernel->size, CODE_SIZE);
	assert_int_equal(kernel->memory, 5 * 4096);
	for (size_t i = 0; i < handover->segments; i++)
		assert_true(i == number || handover->segment[i].address >= kernel->address + 0x3f98000);
}

/* The seed is left to whoever loads it. */
static void assert_boot_info(const struct kd_handover *handover, const struct loader_parts *parts)
{
	size_t number = 0;
	const struct kd_handover_segment *info = handed(handover, "boot-info", &number);
	const uint8_t *data = parts->part[number].data;

	assert_int_equal(handover->seeded, number);
	assert_true(handover->seed + KD_HANDOVER_SEED <= info->size);
	assert_true(kd_all_zero(data + handover->seed, KD_HANDOVER_SEED));
	assert_int_equal(get_le32(data + handover->seed - 8), 9); /* SETUP_RNG_SEED */
}

static void test_return(void **state)
{
	if (!loader_arch_x86_64.purgatory)
		end_test("no purgatory for x86_64 in this build");
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		_cleanup_(kd_handover_free) struct kd_handover handover = { 0 }, again = { 0 };
		_cleanup_(loader_parts_free) struct loader_parts parts = { 0 };
		_cleanup_free_ char *text = NULL;
		const struct purgatory_params *params;
		struct machine m;
		size_t number = 0;

		machine_open(&m, machines[i].root, 0x3f98000, 3 << 20);
		m.request.policy = LOADER_RETURN;
		assert_no_error(loader_handover(&m.request, "/boot/vmlinuz", "/boot/initrd", &handover, &parts));
		assert_places(&handover, &parts, &m.root);
		assert_kernel(&handover);
		assert_boot_info(&handover, &parts);
		assert_identity(&handover, &parts);
		assert_int_equal(handed(&handover, "initramfs", &number)->size, 3 << 20);
		assert_int_equal(handed(&handover, "purgatory", &number)->address, handover.entry);
		params = (const void *)((const char *)parts.part[number].data + PURGATORY_PARAMS);
		assert_int_equal(params->page_tables, handed(&handover, "page-tables", &number)->address);
		assert_int_equal(params->regions, 3); /* not the boot info, which gets a seed, nor itself */
		handover.release = strdup("6.1");
		assert_no_error(kd_handover_format(&handover, &text));
		assert_no_error(kd_handover_parse(text, "record", &again)); /* which checks that nothing overlaps */
		machine_close(&m);
	}
}

#define IOMEM_RETURN                                                                                                   \
	"00001000-0009fbff : System RAM\n"                                                                             \
	"00100000-7fffffff : System RAM\n"                                                                             \
	"  6c000000-73ffffff : Crash kernel\n"

static void refuse_lockdown(struct machine *m)
{
	write_text("root/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
}

static void refuse_encrypted(struct machine *m)
{
	write_text("root/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu hypervisor sev sev_es\n\nprocessor\t: 1\n");
}

static void refuse_no_initrd(struct machine *m)
{
	m->request.initrd = NULL;
}

static void refuse_large(struct machine *m)
{
	_cleanup_free_ char *initrd = calloc(1, 60 << 20);

	write_file("initrd", initrd, 60 << 20);
}

static void refuse_no_room(struct machine *m)
{
	write_text("root/proc/iomem", "00001000-0009fbff : System RAM\n00100000-17ffffff : System RAM\n"
				      "  10000000-17ffffff : Crash kernel\n");
}

static void refuse_packed(struct machine *m)
{
	char path[256];
	struct bzimage image;
	gzFile gz;

	make_bzimage(&image, 20 << 20);
	strcpy(path, write_file("vmlinuz", "", 0));
	gz = gzopen(path, "wb");
	assert_int_equal(gzwrite(gz, &image, sizeof(image)), sizeof(image));
	gzclose(gz);
}

static void test_return_refused(void **state)
{
	static const struct {
		void (*change)(struct machine *m);
		enum kd_error_code code;
		const char *words;
	} cases[] = {
		{ refuse_lockdown, KD_ERR_UNSUPPORTED, "in lockdown (integrity)" },
		{ refuse_encrypted, KD_ERR_UNSUPPORTED, "is encrypted" },
		{ refuse_no_initrd, KD_ERR_UNSUPPORTED, "has no initramfs" },
		{ refuse_large, KD_ERR_LIMIT, "needs crashkernel=141M, and 128 MiB are reserved" },
		{ refuse_no_room, KD_ERR_LIMIT, "no room for a kernel to return to" },
		{ refuse_packed, KD_ERR_UNSUPPORTED, "is packed" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(kd_handover_free) struct kd_handover handover = { 0 };
		_cleanup_(loader_parts_free) struct loader_parts parts = { 0 };
		struct machine m;

		remove_directory(NULL);
		make_directory(NULL);
		make_machine(&m, IOMEM_RETURN, 20 << 20, 4096);
		m.request.policy = LOADER_RETURN;
		assert_no_error(loader_handover(&m.request, "/k", "/i", &handover, &parts));
		kd_handover_free(&handover);
		loader_parts_free(&parts);
		cases[i].change(&m);
		assert_error(loader_handover(&m.request, "/k", "/i", &handover, &parts), cases[i].code, cases[i].words);
		machine_close(&m);
	}
}

static void test_low_memory_counts(void **state)
{
	struct loader_image *image;
	struct machine m;

	/* The initramfs fits beside the kernel, but only the low region makes room for unpacking it. */
	make_machine(&m,
		     "00001000-0009fbff : System RAM\n00100000-7fffffff : System RAM\n"
		     "  60000000-61ffffff : Crash kernel\n  70000000-73ffffff : Crash kernel\n",
		     30 << 20, 30 << 20);
	assert_no_error(loader_prepare(&m.request, &image));
	assert_int_equal(image->memory.crash_main.start, 0x70000000);
	assert_segments_sane(image);
	assert_panic_e820(image);
	loader_image_free(image);
	machine_close(&m);
}

static void test_many_reserved_ranges(void **state)
{
	char iomem[16384] = IOMEM_64M;
	const uint8_t *zp, *item;
	struct loader_image *image;
	struct machine m;
	size_t i, n = strlen(iomem);

	for (i = 0; i < 200; i++)
		n += snprintf(iomem + n, sizeof(iomem) - n, "%zx-%zx : Reserved\n", 0x90000000 + i * 0x10000,
			      0x90000000 + i * 0x10000 + 0xfff);
	make_machine(&m, iomem, 20 << 20, 4096);
	assert_no_error(loader_prepare(&m.request, &image));
	zp = image->boot_info;
	assert_int_equal(zp[0x1e8], 128);
	item = zp + (get_le64(zp + 0x250) - image->boot_info_address);
	assert_int_equal(get_le32(item + 8), 1);
	/* Low RAM, the reservation in two pieces around the elfcorehdr, and 200 reserved ones. */
	assert_int_equal(get_le32(item + 12), (3 + 200 - 128) * 20);
	assert_int_equal(get_le64(item + 16 + 74 * 20), 0x90000000 + 199 * 0x10000);
	assert_int_equal(get_le32(item + 16 + 74 * 20 + 16), 2);
	loader_image_free(image);
	machine_close(&m);
}

static void test_five_level_paging(void **state)
{
	struct loader_image *image;
	struct bzimage kernel;
	struct machine m;

	make_machine(&m, IOMEM_64M, 20 << 20, 4096);
	make_bzimage(&kernel, 20 << 20);
	put_le16(kernel.byte + 0x236, 0x1f);
	write_file("vmlinuz", &kernel, sizeof(kernel));
	assert_error(loader_prepare(&m.request, &image), KD_ERR_UNSUPPORTED, "no5lvl");
	machine_close(&m);
}

static void test_long_command_line(void **state)
{
	struct loader_image *image;
	char cmdline[2100];
	struct machine m;

	make_machine(&m, IOMEM_64M, 20 << 20, 4096);
	memset(cmdline, 'x', sizeof(cmdline));
	m.request.cmdline = cmdline;
	cmdline[2048] = '\0';
	assert_error(loader_prepare(&m.request, &image), KD_ERR_LIMIT, "has 2048 characters");
	cmdline[2040] = '\0';
	assert_error(loader_prepare(&m.request, &image), KD_ERR_LIMIT, "characters with elfcorehdr=");
	cmdline[2047 - strlen(" elfcorehdr=0x73fff000")] = '\0';
	assert_no_error(loader_prepare(&m.request, &image));
	loader_image_free(image);
	machine_close(&m);
}

static void test_corrupted_segment(void **state)
{
	struct loader_image *good, *bad;
	struct machine m;
	size_t i;

	if (!loader_arch_x86_64.purgatory)
		end_test("no purgatory for x86_64 in this build");
	make_machine(&m, IOMEM_64M, 20 << 20, 4096);
	m.request.corrupt_segment = 2;
	assert_no_error(loader_prepare(&m.request, &bad));
	m.request.corrupt_segment = 0;
	assert_no_error(loader_prepare(&m.request, &good));
	for (i = 0; i < 3; i++) {
		const struct segment *g = &good->segments.segment[i], *b = &bad->segments.segment[i];

		assert_int_equal(memcmp(g->buf, b->buf, g->bufsz) != 0, i == 1);
		assert_memory_equal(params_of(good)->region[i].digest, params_of(bad)->region[i].digest, 32);
	}
	loader_image_free(good);
	loader_image_free(bad);
	m.request.corrupt_segment = 6;
	assert_error(loader_prepare(&m.request, &bad), KD_ERR_USAGE, "there are 5");
	machine_close(&m);
}

static void test_files_missing(void **state)
{
	struct loader_image *image;
	struct machine m;

	make_machine(&m, IOMEM_64M, 20 << 20, 4096);
	m.request.initrd = "/nonexistent/initrd";
	assert_error(loader_prepare(&m.request, &image), KD_ERR_OS, "cannot read initramfs: /nonexistent/initrd");
	m.request.kernel = "/tmp";
	assert_error(loader_prepare(&m.request, &image), KD_ERR_FORMAT, "cannot read kernel: /tmp: not a regular file");
	machine_close(&m);
}

static void test_state(void **state)
{
	struct machine m;
	uint64_t size;
	bool loaded;

	make_machine(&m, IOMEM_64M, 20 << 20, 4096);
	assert_error(loader_loaded(&m.root, LOADER_PANIC, &loaded), KD_ERR_STATE, "has no kexec");
	write_text("root/sys/kernel/kexec_crash_loaded", "1\n");
	write_text("root/sys/kernel/kexec_loaded", "0\n");
	write_text("root/sys/kernel/kexec_crash_size", "268435456\n");
	assert_no_error(loader_loaded(&m.root, LOADER_PANIC, &loaded));
	assert_true(loaded);
	assert_no_error(loader_loaded(&m.root, LOADER_REBOOT, &loaded));
	assert_false(loaded);
	assert_no_error(loader_crash_size(&m.root, &size));
	assert_int_equal(size, 256 << 20);
	write_text("root/sys/kernel/kexec/crash_loaded", "0\n");
	assert_no_error(loader_loaded(&m.root, LOADER_PANIC, &loaded));
	assert_false(loaded);
	machine_close(&m);
}

/* --- command lines ------------------------------------------------------------------------------------------------ */

static const struct {
	const char *running, *remove, *append, *expected; /* without the built-in options */
} cmdlines[] = {
	{ "console=ttyS0\n", NULL, NULL, "console=ttyS0" },
	{ "BOOT_IMAGE=/vmlinuz root=UUID=1 ro quiet crashkernel=256M console=tty0 console=ttyS0", NULL, NULL,
	  "console=tty0 console=ttyS0" },
	{ "a crashkernel=1G,high crashkernel=64M,low b", NULL, NULL, "a b" },
	{ "crashkernels=1 rooted=2 xroot=3", NULL, NULL, "crashkernels=1 rooted=2 xroot=3" },
	{ "log-buf-len=4M slub-debug=P a", NULL, NULL, "a" },
	{ "rd.lvm.lv=vg/root rd.luks.uuid=1 rd.driver.blacklist=x systemd.unit=foo", NULL, NULL,
	  "rd.driver.blacklist=x" },
	{ "dyndbg=\"file a.c +p; root=1\" \"root=LABEL=a b\" c", NULL, NULL, "dyndbg=\"file a.c +p; root=1\" c" },
	{ "a panic_on_warn=1 panic=0 nr_cpus=4 b -- single root=x", NULL, NULL, "a b" },
	{ "a softlockup_panic=0 nmi_watchdog=0 watchdog_thresh=0 hung_task_panic=1 b", NULL, NULL, "a b" },
	/* Each of these takes memory that a small reservation does not have, or time. */
	{ "a dhash_entries=8388608 thash_entries=4194304 reserve_mem=64M:4096:oops trace_event=sched:* trace_buf_size=256M "
	  "ftrace=function tp_printk memtest=17 b",
	  NULL, NULL, "a b" },
	/* And these have the kernel do what the plan does, or what only the healthy machine may do. */
	{ "a ip=dhcp nfsroot=server:/x dm-mod.create=\"x,,,rw,0 8 linear 8:0 0\" ipv6.disable=1", NULL, NULL,
	  "a ipv6.disable=1" },
	{ "a my-option=1 b", "my_option", NULL, "a b" },
	{ "a my_option b xy=1", "my-option x*", "console=hvc0", "a b console=hvc0" },
	{ "   \t a  b ", NULL, " c  \"d e\" ", "a b c \"d e\"" },
	{ "initcall_blacklist=foo", NULL, NULL, "initcall_blacklist=foo" },
};

#define RECOVERING "panic=10 softlockup_panic=1 nmi_watchdog=panic watchdog_thresh=30"

/* Take the built-in options, which come in one piece, out of *text. */
static void cut_built_in(char *text)
{
	char *start = strstr(text, "irqpoll "), *end = strstr(text, RECOVERING);

	assert_non_null(start);
	assert_non_null(end);
	end += strlen(RECOVERING);
	if (start > text)
		start--;
	else if (*end)
		end++;
	memmove(start, end, strlen(end) + 1);
}

static void test_capture_cmdline(void **state)
{
	struct machine m;
	size_t i;

	make_machine(&m, IOMEM_64M, 20 << 20, 4096);
	for (i = 0; i < ARRAY_SIZE(cmdlines); i++) {
		char *text;

		write_text("root/proc/cmdline", cmdlines[i].running);
		assert_no_error(loader_capture_cmdline(&m.root, cmdlines[i].remove, cmdlines[i].append, &text));
		assert_non_null(strstr(text, "nr_cpus=1 "));
		assert_non_null(strstr(text, "tracer_init_tracefs"));
		assert_non_null(strstr(text, "kho=off liveupdate=off"));
		cut_built_in(text);
		assert_string_equal(text, cmdlines[i].expected);
		free(text);
	}
	machine_close(&m);
}

/* KDUMP_COMMANDLINE: the machine comes back, unless the user's own words say otherwise. */
static void test_complete_cmdline(void **state)
{
	static const struct {
		const char *own, *remove, *expected;
	} cases[] = {
		{ "a  b=\"c d\"", NULL, RECOVERING " a b=\"c d\"" },
		{ "", NULL, RECOVERING },
		{ "panic=0 a", NULL, RECOVERING " panic=0 a" }, /* the last one counts */
		{ "a", "panic softlockup-panic", "nmi_watchdog=panic watchdog_thresh=30 a" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = NULL;

		assert_no_error(loader_complete_cmdline(cases[i].own, cases[i].remove, &text));
		assert_string_equal(text, cases[i].expected);
	}
}

static void test_remove_built_in(void **state)
{
	struct machine m;
	char *text;

	make_machine(&m, IOMEM_64M, 20 << 20, 4096);
	write_text("root/proc/cmdline", "a\n");
	assert_no_error(loader_capture_cmdline(&m.root, "irqpoll initcall_blacklist nr-cpus", "nr_cpus=2", &text));
	assert_null(strstr(text, "irqpoll"));
	assert_null(strstr(text, "initcall"));
	assert_null(strstr(text, "nr_cpus=1"));
	assert_non_null(strstr(text, " nr_cpus=2"));
	assert_null(strstr(text, "disable_cpu_apicid"));
	free(text);
	write_text("root/proc/cpuinfo", "processor\t: 0\ninitial apicid\t: 4\nflags\t\t:\n\nprocessor\t: 1\n"
					"initial apicid\t: 6\n");
	assert_no_error(loader_capture_cmdline(&m.root, NULL, "nr_cpus=2", &text));
	assert_non_null(strstr(text, "nr_cpus=2 disable_cpu_apicid=4"));
	free(text);
	assert_no_error(loader_capture_cmdline(&m.root, NULL, NULL, &text));
	assert_null(strstr(text, "disable_cpu_apicid"));
	free(text);
	machine_close(&m);
}

/* A kernel that needs its buffers for a disk with checksums keeps them. */
static void test_integrity_buffers(void **state)
{
	static const char *const formats[] = { NULL, "none\n", "T10-DIF-TYPE1-CRC\n", "nop\n" };
	struct machine m;
	size_t i;

	make_machine(&m, IOMEM_64M, 20 << 20, 4096);
	write_text("root/proc/cmdline", "a\n");
	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		_cleanup_free_ char *text = NULL;

		write_text("root/sys/class/block/sda/size", "1\n");
		if (formats[i])
			write_text("root/sys/class/block/sdb/integrity/format", formats[i]);
		assert_no_error(loader_capture_cmdline(&m.root, NULL, NULL, &text));
		if (i < 2)
			assert_non_null(strstr(text, "initcall_blacklist=bio_integrity_initfn "));
		else
			assert_null(strstr(text, "bio_integrity"));
	}
	machine_close(&m);
}

/* --- the purgatory's own code, run here --------------------------------------------------------------------------- */

/* The one that this machine's processor can carry out. */
static const struct loader_arch *own_arch(void)
{
	return loader_arch_find(loader_arch_native());
}

struct blob {
	uint8_t *code;
	struct purgatory_params *params;
	void (*check)(void);
};

static void load_blob(struct blob *blob)
{
	size_t size = own_arch()->purgatory_end - own_arch()->purgatory;

	blob->code = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(blob->code != MAP_FAILED);
	memcpy(blob->code, own_arch()->purgatory, size);
	blob->params = (void *)(blob->code + PURGATORY_PARAMS);
	blob->params->reset = PURGATORY_RESET_HVC;
	blob->check = (void (*)(void))(blob->code + get_le32(blob->code + PURGATORY_CHECK));
}

static void add_region(struct blob *blob, const void *data, size_t size, const char *digest)
{
	struct purgatory_region *region = &blob->params->region[blob->params->regions++];
	size_t i;

	region->start = (uintptr_t)data;
	region->size = size;
	for (i = 0; i < 32; i++) {
		char byte[3] = { digest[2 * i], digest[2 * i + 1] };

		region->digest[i] = strtoul(byte, NULL, 16);
	}
}

/* On a match the purgatory returns. On a mismatch it resets the machine, by port I/O (x86_64) or a call of
 * the hypervisor (aarch64), which kills a process. */
static bool blob_accepts(const struct blob *blob)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		static const struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGSEGV, SIG_DFL);
		signal(SIGILL, SIG_DFL);
		blob->check();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status))
		return true;
	assert_int_equal(WTERMSIG(status), own_arch()->machine == EM_X86_64 ? SIGSEGV : SIGILL);
	return false;
}

static void test_purgatory_hashes(void **state)
{
	char *million = malloc(1000000);
	struct blob blob;

	if (!own_arch() || !own_arch()->purgatory)
		end_test("no purgatory on this machine");
	memset(million, 'a', 1000000);
	load_blob(&blob);
	assert_true(blob_accepts(&blob));
	/* FIPS 180-4's examples. */
	add_region(&blob, "", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	add_region(&blob, "abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	add_region(&blob, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
		   "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	add_region(&blob, million, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	assert_true(blob_accepts(&blob));
	million[999999] ^= 1;
	assert_false(blob_accepts(&blob));
	million[999999] ^= 1;
	blob.params->region[1].digest[31] ^= 0x80;
	assert_false(blob_accepts(&blob));
	free(million);
}

/* --- PCI devices, as the purgatory sees them ---------------------------------------------------------------------- */

#ifdef __x86_64__
/* Shared with the child in which the purgatory runs. */
struct pci {
	uint32_t address;
	struct pci_function {
		uint32_t bdf; /* bus, device and function */
		bool multifunction;
		uint16_t command, status;
	} function[5];
	unsigned int reads;
};
static struct pci *pci; /* a signal handler has no argument of its own */

static struct pci_function *pci_find(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pci->function); i++)
		if (pci->address >> 8 == (0x800000 | pci->function[i].bdf))
			return &pci->function[i];
	return NULL;
}

static uint32_t pci_input(void)
{
	const struct pci_function *function = pci_find();

	pci->reads++;
	if (!function)
		return 0xffffffff;
	switch (pci->address & 0xff) {
	case 0:
		return 0x100e8086;
	case 4:
		return function->command | (uint32_t)function->status << 16;
	case 12:
		return function->multifunction ? 0x800000 : 0;
	default:
		return 0;
	}
}

/* Execute the port instruction at which the process was stopped: out dx,eax; out dx,ax; in eax,dx. */
static void on_port(int number, siginfo_t *info, void *context)
{
	greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uint8_t *code = (const uint8_t *)gregs[REG_RIP];
	uint16_t port = gregs[REG_RDX];
	struct pci_function *function = pci_find();

	if (code[0] == 0xef && port == 0xcf8)
		pci->address = gregs[REG_RAX];
	else if (code[0] == 0xed && port == 0xcfc)
		gregs[REG_RAX] = pci_input();
	else if (code[0] == 0x66 && code[1] == 0xef && port == 0xcfc && function && (pci->address & 0xff) == 4)
		function->command = gregs[REG_RAX];
	else
		_exit(1);
	gregs[REG_RIP] += code[0] == 0x66 ? 2 : 1;
}

static void run_with_ports(const struct blob *blob)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		const struct sigaction action = { .sa_sigaction = on_port, .sa_flags = SA_SIGINFO | SA_NODEFER };

		sigaction(SIGSEGV, &action, NULL);
		blob->check();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Every device loses the right to write to memory, behind bridges and at every function, and nothing else of it
 * changes; without the order to do so, the devices are left alone. */
static void test_purgatory_stops_devices(void **state)
{
	static const struct pci_function machine[] = {
		{ 0x0000, false, 0x0007, 0x2010 },
		{ 0x0010, true, 0x0506, 0x0010 },
		{ 0x0013, true, 0x0107, 0x0010 },  /* function 3; 1 and 2 are missing */
		{ 0x0018, false, 0x0003, 0x0010 }, /* may not write as it is */
		{ 0xff00 | 31 << 3, false, 0x0406, 0xffff },
	};
	struct blob blob;
	size_t i;

	pci = mmap(NULL, sizeof(*pci), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(pci != MAP_FAILED);
	memcpy(pci->function, machine, sizeof(machine));
	load_blob(&blob);
	run_with_ports(&blob);
	assert_int_equal(pci->reads, 0);
	blob.params->stop_devices = 1;
	run_with_ports(&blob);
	for (i = 0; i < ARRAY_SIZE(machine); i++) {
		assert_int_equal(pci->function[i].command, machine[i].command & ~4);
		assert_int_equal(pci->function[i].status, machine[i].status);
	}
	munmap(pci, sizeof(*pci));
}

#endif

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bzimage),
		TEST(test_bzimage_compressed_as_a_whole),
		TEST(test_bzimage_faults),
		TEST(test_truncated_anywhere),
		TEST(test_other_formats),
		TEST(test_uki),
		TEST(test_panic_layout),
		TEST(test_whole_machine_layout),
		TEST(test_whole_machine_room),
		TEST(test_whole_machine_lockdown),
		TEST(test_reboot_layout),
		TEST(test_no_reservation),
		TEST(test_secret),
		TEST(test_hidden_iomem),
		TEST(test_reservation_too_small),
		TEST(test_cma),
		TEST(test_low_memory_counts),
		TEST(test_return),
		TEST(test_return_refused),
		TEST(test_control_pages),
		TEST(test_reboot_keeps_out),
		TEST(test_many_reserved_ranges),
		TEST(test_five_level_paging),
		TEST(test_long_command_line),
		TEST(test_corrupted_segment),
		TEST(test_files_missing),
		TEST(test_state),
		TEST(test_capture_cmdline),
		TEST(test_complete_cmdline),
		TEST(test_remove_built_in),
		TEST(test_integrity_buffers),
		TEST(test_purgatory_hashes),
#ifdef __x86_64__
		TEST(test_purgatory_stops_devices),
#endif
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
