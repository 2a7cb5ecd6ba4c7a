/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels that are more than a bzImage: vmlinux, the one inside a bzImage (a fast start), unified kernel images, EFI
 * zboot; and what the initramfs is put together from. */
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/array.h"
#include "kdump/loader/layout.h"
#include "kdump/loader/le.h"
#include "kdump/loader/purgatory/purgatory.h"
#include "tests/unit/kdump/bzimage.h"
#include "tests/unit/kdump/vmlinux.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

/* --- vmlinux ------------------------------------------------------------------------------------------------------ */

static struct kd_error *parse(const struct made_vmlinux *made, struct vmlinux *ret)
{
	return vmlinux_parse("/boot/vmlinux", made->byte, made->size, ret);
}

static void test_vmlinux(void **state)
{
	_cleanup_(vmlinux_free) struct vmlinux v = { 0 };
	struct made_vmlinux made;

	make_vmlinux(&made, 0);
	assert_no_error(parse(&made, &v));
	assert_int_equal(v.link, VMLINUX_LINK);
	assert_int_equal(v.entry, VMLINUX_ENTRY);
	assert_int_equal(v.mem_size, VMLINUX_TOTAL);
	assert_int_equal(v.size, VMLINUX_BSS);
	assert_false(v.movable);
	assert_memory_equal(v.memory, made.byte + 0x1000, 0x2000);
	assert_memory_equal(v.memory + 0x200000, made.byte + 0x3000, 0x1000);
	assert_int_equal(v.memory[0x2000], 0);
}

/* With three lists and with two: what each is for happens to the numbers, and to nothing else. */
static void test_move(void **state)
{
	for (unsigned int lists = 2; lists <= 3; lists++) {
		_cleanup_(vmlinux_free) struct vmlinux v = { 0 }, before = { 0 };
		struct made_vmlinux made;
		size_t changed = 0;

		make_vmlinux(&made, lists);
		assert_no_error(parse(&made, &v));
		assert_no_error(parse(&made, &before));
		assert_true(v.movable);
		vmlinux_move(&v, 0x11200000);
		assert_int_equal(get_le64(v.memory + VMLINUX_ADD64), 0xffffffff92200000 + VMLINUX_NUMBER);
		assert_int_equal(get_le32(v.memory + VMLINUX_ADD32), 0x92200000 + VMLINUX_NUMBER);
		assert_int_equal(get_le32(v.memory + VMLINUX_ADD32 + 8), VMLINUX_LINK + 0x11200000 + VMLINUX_NUMBER);
		assert_int_equal(get_le32(v.memory + VMLINUX_SUB32), lists == 3 ? 0x7e000000 - 0x11200000 : 0x7e000000);
		for (size_t i = 0; i < v.size; i++)
			changed += v.memory[i] != before.memory[i];
		assert_true(changed <= 8 + 4 + 4 + 4);
	}
}

/* One field of the ELF file changed each time. */
static const struct {
	unsigned int offset, size;
	uint64_t value;
	enum kd_error_code code;
	const char *message;
} faults[] = {
	{ EI_CLASS, 1, ELFCLASS32, KD_ERR_UNSUPPORTED, "not an x86_64 kernel" },
	{ 16, 2, ET_DYN, KD_ERR_UNSUPPORTED, "not an x86_64 kernel" },
	{ 18, 2, EM_AARCH64, KD_ERR_UNSUPPORTED, "not an x86_64 kernel" },
	{ 24, 8, VMLINUX_LINK - 1, KD_ERR_FORMAT, "entry point" },
	{ 24, 8, VMLINUX_LINK + VMLINUX_TOTAL, KD_ERR_FORMAT, "entry point" },
	{ 32, 8, UINT64_MAX - 8, KD_ERR_FORMAT, "program headers are cut short" },
	{ 40, 8, UINT64_MAX - 8, KD_ERR_FORMAT, "section headers are cut short" },
	{ 54, 2, 32, KD_ERR_FORMAT, "program headers are cut short" },
	{ 56, 2, 0, KD_ERR_FORMAT, "entry point" },
	{ 64 + 8, 8, UINT64_MAX, KD_ERR_FORMAT, "shorter than its program headers" },
	{ 64 + 16, 8, 0x400000, KD_ERR_UNSUPPORTED, "not a Linux kernel" }, /* p_vaddr, as a program's */
	{ 64 + 32, 8, 0x8000, KD_ERR_FORMAT, "shorter than its program headers" },
	{ 64 + 40, 8, 0x200001, KD_ERR_FORMAT, "segments overlap" },
	{ 64 + 40, 8, 0x1000, KD_ERR_FORMAT, "segments overlap" }, /* p_filesz above p_memsz */
	{ 64 + 56 + 24, 8, VMLINUX_LINK + 0x1fff, KD_ERR_FORMAT, "segments overlap" },
	{ 64 + 56 + 40, 8, (uint64_t)1 << 30, KD_ERR_FORMAT, "more than 1 GiB" },
	{ 64 + 56 + 40, 8, UINT64_MAX, KD_ERR_FORMAT, "more than 1 GiB" },
};

static void test_vmlinux_faults(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct made_vmlinux made;
		struct vmlinux v;
		uint8_t value[8];

		make_vmlinux(&made, 3);
		put_le64(value, faults[i].value);
		memcpy(made.byte + faults[i].offset, value, faults[i].size);
		assert_error(parse(&made, &v), faults[i].code, faults[i].message);
	}
}

/* Cut off anywhere it is refused, but where it ends just before its relocations, and inside their last list. */
static void test_vmlinux_truncated(void **state)
{
	struct made_vmlinux made;

	make_vmlinux(&made, 3);
	for (size_t size = made.size - 1; size > 0; size -= size > VMLINUX_ELF_SIZE || size < 0x200 ? 1 : 61) {
		struct vmlinux v = { 0 };
		struct kd_error *err;

		made.size = size;
		err = parse(&made, &v);
		assert_true(size == VMLINUX_ELF_SIZE ? !err : size < VMLINUX_ELF_SIZE + 24 ? !!err : true);
		kd_error_destroy(err);
		vmlinux_free(&v);
	}
}

/* Lists that are not as the kernel's build makes them: each is refused, since moving would destroy the kernel. */
static void test_relocation_faults(void **state)
{
	static const struct {
		unsigned int entry;
		uint32_t value;
	} changes[] = {
		{ 0, 4 },                                             /* no zero in front */
		{ 1, 0x80000000 + VMLINUX_LINK - 8 },                 /* below the image */
		{ 1, 0x80000000 + VMLINUX_LINK + VMLINUX_BSS - 7 },   /* half in .bss */
		{ 1, 0x80000000 + VMLINUX_LINK + 0x800 },             /* no address there */
		{ 1, VMLINUX_LINK + VMLINUX_ADD64 },                  /* a physical address */
		{ 1, 0 },                                             /* a fourth list */
		{ 5, 0x80000000 + VMLINUX_LINK + VMLINUX_ADD32 + 8 }, /* twice the same */
	};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct made_vmlinux made;
		struct vmlinux v;

		make_vmlinux(&made, 3);
		put_le64(made.byte + 0x1000 + 0x800, 0x5555555555555555);
		put_le32(made.byte + VMLINUX_ELF_SIZE + 4 * changes[i].entry, changes[i].value);
		assert_error(parse(&made, &v), KD_ERR_FORMAT,
			     "relocations of kernel /boot/vmlinux are of an unknown form");
	}
}

/* --- machines ----------------------------------------------------------------------------------------------------- */

#define IOMEM                                                                                                          \
	"00001000-0009fbff : System RAM\n"                                                                             \
	"00100000-7fffffff : System RAM\n"                                                                             \
	"  70000000-73ffffff : Crash kernel\n"

/* A bzImage of Linux 6.1 whose payload is @payload. */
static void write_bzimage(const struct tree *tree, const void *payload, size_t size)
{
	struct bzimage image;

	make_bzimage(&image, 0x3f98000);
	assert_true(size < CODE_SIZE - 0x400);
	put_le32(image.byte + 0x248, 0x400);
	put_le32(image.byte + 0x24c, size);
	memcpy(image.byte + SETUP_SIZE + 0x400, payload, size);
	tree_write(tree, "/boot/vmlinuz", &image, sizeof(image));
}

static size_t pack_gzip(const void *data, size_t size, uint8_t *ret, size_t max)
{
	z_stream z = { .next_in = (uint8_t *)data, .avail_in = size, .next_out = ret, .avail_out = max };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return max - z.avail_out;
}

/* With its size behind it, as the kernel's build does. */
static size_t pack_zstd(const void *data, size_t size, uint8_t *ret, size_t max)
{
	size_t packed = ZSTD_compress(ret, max - 4, data, size, 3);

	assert_false(ZSTD_isError(packed));
	put_le32(ret + packed, size);
	return packed + 4;
}

static void make_machine(struct tree *tree, struct loader_request *request)
{
	tree_make(tree);
	tree_text(tree, "/proc/iomem", IOMEM);
	tree_text(tree, "/proc/cpuinfo", "flags\t\t: fpu la57\n");
	tree_text(tree, "/proc/cmdline", "root=/dev/vda1\n");
	tree_text(tree, "/boot/initrd", "070701 initrd");
	*request = (struct loader_request){
		.root = &tree->root,
		.policy = LOADER_REBOOT,
		.kernel = "/boot/vmlinuz",
		.initrd = "/boot/initrd",
		.cmdline = "console=ttyS0",
		.fast = true,
	};
}

static void write_packed(const struct tree *tree, unsigned int lists)
{
	struct made_vmlinux made;
	uint8_t packed[8192];

	make_vmlinux(&made, lists);
	write_bzimage(tree, packed, pack_gzip(made.byte, made.size, packed, sizeof(packed)));
}

/* --- fast --------------------------------------------------------------------------------------------------------- */

static void assert_fast(const struct loader_image *image)
{
	const struct segment *kernel = segments_find(&image->segments, "kernel");
	const struct purgatory_params *params = (const void *)((const char *)image->purgatory + PURGATORY_PARAMS);

	assert_true(image->fast);
	assert_int_equal(kernel->bufsz, VMLINUX_BSS);
	assert_int_equal(kernel->memsz, VMLINUX_BSS);
	assert_int_equal(kernel->mem % 0x200000, 0);
	assert_true(kernel->mem >= VMLINUX_LINK);
	assert_int_equal(params->entry, kernel->mem + VMLINUX_ENTRY);
	/* .bss belongs to the kernel: nobody else is there. */
	for (size_t i = 0; i < image->segments.count; i++) {
		const struct segment *s = &image->segments.segment[i];

		assert_true(s == kernel || s->mem + s->memsz <= kernel->mem || s->mem >= kernel->mem + VMLINUX_TOTAL);
	}
	assert_int_equal(params->regions, 1); /* neither kernel nor initramfs: that takes longer than the jump */
	assert_string_equal(params->region[0].name, "boot info");
}

/* How far the kernel's virtual address has moved. */
static uint32_t moved(const struct loader_image *image)
{
	return get_le32(image->kernel.vmlinux.memory + VMLINUX_ADD32) - 0x81000000 - VMLINUX_NUMBER;
}

/* Places are random, both kinds, and the kernel is told that it may randomize the rest. */
static void test_fast(void **state)
{
	bool virtual_differs = false, physical_differs = false;
	uint64_t physical = 0;
	uint32_t delta = 0;

	if (!loader_arch_x86_64.purgatory)
		end_test("no purgatory for x86_64 in this build");
	for (int i = 0; i < 20; i++) {
		_cleanup_(loader_image_free) struct loader_image *image = NULL;
		struct loader_request request;
		struct tree tree;

		make_machine(&tree, &request);
		write_packed(&tree, i % 2 ? 2 : 3);
		assert_no_error(loader_prepare(&request, &image));
		assert_fast(image);
		assert_int_equal(((const uint8_t *)image->boot_info)[0x211], 0x02); /* KASLR_FLAG */
		assert_int_equal(moved(image) % 0x200000, 0);
		assert_true(moved(image) + VMLINUX_LINK + VMLINUX_TOTAL <= 1 << 30);
		virtual_differs |= i && moved(image) != delta;
		physical_differs |= i && image->kernel_address != physical;
		delta = moved(image);
		physical = image->kernel_address;
		tree_remove(&tree);
	}
	assert_true(virtual_differs);
	assert_true(physical_differs);
}

/* Without KASLR, and where memory is limited, the kernel lies at the lowest place. */
static void test_fast_fixed(void **state)
{
	static const struct {
		const char *cmdline;
		unsigned int lists;
		bool random;
	} rows[] = { { "nokaslr", 3, false },
		     { "quiet", 0, false },
		     { "mem=1G quiet", 3, true },
		     { "memmap=1M!64M", 3, true } };

	if (!loader_arch_x86_64.purgatory)
		end_test("no purgatory for x86_64 in this build");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(loader_image_free) struct loader_image *image = NULL;
		struct loader_request request;
		struct tree tree;

		make_machine(&tree, &request);
		write_packed(&tree, rows[i].lists);
		request.cmdline = rows[i].cmdline;
		assert_no_error(loader_prepare(&request, &image));
		assert_fast(image);
		assert_int_equal(image->kernel_address, VMLINUX_LINK);
		assert_int_equal(image->random, rows[i].random);
		assert_int_equal(((const uint8_t *)image->boot_info)[0x211], rows[i].random ? 0x02 : 0);
		if (!rows[i].random)
			assert_int_equal(moved(image), 0);
		tree_remove(&tree);
	}
}

/* Where in doubt the bzImage is loaded, as without fast, and the log has the reason. */
static void test_fast_refused(void **state)
{
	static const struct {
		const char *cpuinfo, *running, *cmdline, *reason;
		enum loader_policy policy;
		enum loader_call call;
		const char *payload;
	} rows[] = {
		{ "flags : fpu la57 tdx_guest\n", "", "", "is encrypted", LOADER_REBOOT, LOADER_CALL_AUTO, NULL },
		{ "flags : hypervisor la57 sev\n", "", "", "is encrypted", LOADER_REBOOT, LOADER_CALL_AUTO, NULL },
		{ "flags : la57\n", "mem_encrypt=on", "", "is encrypted", LOADER_REBOOT, LOADER_CALL_AUTO, NULL },
		{ "flags : la57\n", "", "no5lvl", "5-level paging", LOADER_REBOOT, LOADER_CALL_AUTO, NULL },
		{ "flags : la57\n", "", "", "a panic kernel", LOADER_PANIC, LOADER_CALL_AUTO, NULL },
		{ "flags : la57\n", "", "", "kexec_file_load takes", LOADER_REBOOT, LOADER_CALL_FILE_LOAD, NULL },
		{ "flags : la57\n", "", "", "is compressed by none", LOADER_REBOOT, LOADER_CALL_AUTO, "BZh9" },
		{ "flags : la57\n", "", "", "corrupt gzip", LOADER_REBOOT, LOADER_CALL_AUTO, "\x1f\x8bnothing at all" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(loader_image_free) struct loader_image *image = NULL;
		_cleanup_free_ char *said = NULL;
		struct loader_request request;
		struct kd_log log;
		struct tree tree;
		size_t size;
		FILE *out = open_memstream(&said, &size);

		make_machine(&tree, &request);
		kd_log_init(&log, out, "test", KD_LOG_INFO);
		tree_text(&tree, "/proc/cpuinfo", rows[i].cpuinfo);
		tree_text(&tree, "/proc/cmdline", rows[i].running);
		write_packed(&tree, 3);
		if (rows[i].payload)
			write_bzimage(&tree, rows[i].payload, strlen(rows[i].payload));
		if (rows[i].policy == LOADER_PANIC)
			tree_text(&tree, "/proc/iomem",
				  "00001000-0009fbff : System RAM\n00100000-7fffffff : System RAM\n"
				  "  60000000-6fffffff : Crash kernel\n");
		request.log = &log;
		request.policy = rows[i].policy;
		request.call = rows[i].call;
		request.cmdline = rows[i].cmdline;
		if (rows[i].policy == LOADER_PANIC) {
			tree_text(&tree, "/sys/kernel/vmcoreinfo", "0x1234000 1024\n");
			tree_text(&tree, "/sys/devices/system/cpu/cpu0/crash_notes", "5678000\n");
			tree_text(&tree, "/sys/devices/system/cpu/cpu0/crash_notes_size", "368\n");
		}
		assert_no_error(loader_prepare(&request, &image));
		assert_false(image->fast);
		assert_int_equal(segments_find(&image->segments, "kernel")->bufsz, CODE_SIZE);
		fclose(out);
		if (!strstr(said, rows[i].reason))
			fail_msg("row %zu: %s", i, said);
		tree_remove(&tree);
	}
}

static void test_fast_zstd(void **state)
{
	_cleanup_(loader_image_free) struct loader_image *image = NULL;
	struct loader_request request;
	struct made_vmlinux made;
	uint8_t packed[8192];
	struct tree tree;

	if (!loader_arch_x86_64.purgatory)
		end_test("no purgatory for x86_64 in this build");
	make_machine(&tree, &request);
	make_vmlinux(&made, 2);
	write_bzimage(&tree, packed, pack_zstd(made.byte, made.size, packed, sizeof(packed)));
	assert_no_error(loader_prepare(&request, &image));
	assert_fast(image);
	tree_remove(&tree);
}

/* --- other kernels ------------------------------------------------------------------------------------------------ */

/* A vmlinux has no boot header of its own; the kernel gets one. It lies where it is linked for, if that is free. */
static void test_elf_kernel(void **state)
{
	_cleanup_(loader_image_free) struct loader_image *image = NULL;
	struct loader_request request;
	struct made_vmlinux made;
	const uint8_t *zp;
	struct tree tree;

	make_machine(&tree, &request);
	make_vmlinux(&made, 0);
	tree_write(&tree, "/boot/vmlinuz", made.byte, made.size);
	request.fast = false;
	assert_error(loader_prepare(&request, &image), KD_ERR_UNSUPPORTED, "give the bzImage");
	tree_text(&tree, "/proc/cpuinfo", "flags\t\t: fpu\n");
	assert_no_error(loader_prepare(&request, &image));
	zp = image->boot_info;
	assert_string_equal(image->kernel.format, "vmlinux");
	assert_memory_equal(zp + 0x202, "HdrS", 4);
	assert_int_equal(zp[0x210], 0xd0);
	assert_int_equal(image->kernel_address, VMLINUX_LINK);
	assert_int_equal(segments_find(&image->segments, "kernel")->memsz, VMLINUX_TOTAL);
	assert_int_equal(get_le32(zp + 0x21c), 13);
	tree_remove(&tree);
}

#define UKI_HEAD 1024

/* Sections one after the other. */
static size_t make_uki(uint8_t *file, const struct image_part *part, const char *const *name, size_t count)
{
	size_t at = UKI_HEAD;

	memset(file, 0, UKI_HEAD);
	memcpy(file, "MZ", 2);
	put_le32(file + 0x3c, 0x80);
	memcpy(file + 0x80, "PE\0\0", 4);
	put_le16(file + 0x86, count);
	for (size_t i = 0; i < count; i++) {
		uint8_t *row = file + 0x98 + i * 40;

		memcpy(row, name[i], strlen(name[i]));
		put_le32(row + 8, part[i].size);
		put_le32(row + 16, part[i].size);
		put_le32(row + 20, at);
		memcpy(file + at, part[i].data, part[i].size);
		at += part[i].size;
	}
	return at;
}

static const char *const section_names[] = { ".linux", ".initrd", ".ucode", ".cmdline", ".profile", ".cmdline" };

static size_t write_uki(const struct tree *tree, size_t sections, size_t cut)
{
	struct bzimage kernel;
	struct image_part parts[] = {
		{ kernel.byte, sizeof(kernel) },        { (const uint8_t *)"070701 inner", 12 },
		{ (const uint8_t *)"070701 code", 11 }, { (const uint8_t *)"root=inner\n", 12 },
		{ (const uint8_t *)"TITLE=other", 11 }, { (const uint8_t *)"root=other", 10 },
	};
	_cleanup_free_ uint8_t *file = malloc(UKI_HEAD + sizeof(kernel) + 100);
	size_t size;

	assert_non_null(file);
	make_bzimage(&kernel, 0x3f98000);
	size = make_uki(file, parts, section_names, sections);
	tree_write(tree, "/boot/vmlinuz", file, size - cut);
	return size;
}

/* Without words of the user's own, everything comes out of the unified image: microcode first. */
static void test_uki(void **state)
{
	_cleanup_(loader_image_free) struct loader_image *image = NULL, *own = NULL, *bare = NULL;
	struct loader_request request;
	struct loader_image *none;
	struct tree tree;

	make_machine(&tree, &request);
	request.fast = false;
	write_uki(&tree, ARRAY_SIZE(section_names), 0);
	request.initrd = request.cmdline = NULL;
	assert_no_error(loader_prepare(&request, &image));
	assert_string_equal(image->boot_cmdline, "root=inner");
	assert_int_equal(image->initrd.size, 12 + 12);
	assert_memory_equal(image->initrd.data,
			    "070701 code\0"
			    "070701 inner",
			    24);
	request.initrd = "/boot/initrd";
	request.cmdline = "";
	assert_no_error(loader_prepare(&request, &own));
	assert_string_equal(own->boot_cmdline, "");
	assert_memory_equal(own->initrd.data, "070701 initrd", own->initrd.size);
	request.cmdline = NULL;
	request.initrd = NULL;
	write_uki(&tree, 1, 0);
	assert_no_error(loader_prepare(&request, &bare));
	assert_string_equal(bare->boot_cmdline, "");
	assert_null(bare->initrd.data);
	write_uki(&tree, 2, 1);
	assert_error(loader_prepare(&request, &none), KD_ERR_FORMAT, "is truncated: its section .initrd ends at byte");
	tree_remove(&tree);
}

/* Several files become one initramfs, each at a multiple of 4 bytes. */
static void test_several_initrds(void **state)
{
	static const char *const more[] = { "/boot/second", "/boot/third", NULL };
	_cleanup_(loader_image_free) struct loader_image *image = NULL;
	struct loader_request request;
	struct loader_image *none;
	struct tree tree;

	make_machine(&tree, &request);
	write_packed(&tree, 3);
	request.more_initrds = more;
	tree_text(&tree, "/boot/second", "07070");
	assert_error(loader_prepare(&request, &none), KD_ERR_OS, "cannot read initramfs: ");
	tree_text(&tree, "/boot/third", "!");
	request.secret = "key";
	request.secret_size = 3;
	assert_no_error(loader_prepare(&request, &image));
	assert_int_equal(image->initrd.size, 16 + 8 + 4 + 3);
	assert_memory_equal(image->initrd.data,
			    "070701 initrd\0\0\0"
			    "07070\0\0\0"
			    "!\0\0\0"
			    "key",
			    31);
	tree_remove(&tree);
}

/* What is larger than the machine's memory is refused before a byte of it is read. */
static void test_huge_initrd(void **state)
{
	struct loader_request request;
	struct loader_image *none;
	struct tree tree;

	make_machine(&tree, &request);
	write_packed(&tree, 3);
	assert_int_equal(truncate(tree_path(&tree, "/boot/initrd"), (off_t)100 << 30), 0);
	assert_error(loader_prepare(&request, &none), KD_ERR_LIMIT, "has 102400 MiB; there is room for 1023");
	tree_remove(&tree);
}

/* More than 1 GiB, and above 4 GiB. */
static void test_large_initrd(void **state)
{
	_cleanup_(loader_image_free) struct loader_image *image = NULL;
	struct loader_request request;
	struct tree tree;
	const uint8_t *zp;

	if (sysconf(_SC_AVPHYS_PAGES) < 3 << 18)
		end_test("3 GiB of free memory are needed");
	make_machine(&tree, &request);
	write_packed(&tree, 3);
	tree_text(&tree, "/proc/iomem",
		  "00001000-0009fbff : System RAM\n00100000-7fffffff : System RAM\n100000000-4ffffffff : System RAM\n");
	assert_int_equal(truncate(tree_path(&tree, "/boot/initrd"), ((off_t)1 << 30) + 5), 0);
	assert_no_error(loader_prepare(&request, &image));
	zp = image->boot_info;
	assert_true(segments_find(&image->segments, "initramfs")->mem >= (uint64_t)4 << 30);
	assert_int_equal(get_le32(zp + 0x21c) | (uint64_t)get_le32(zp + 0xc4) << 32, ((uint64_t)1 << 30) + 5);
	tree_remove(&tree);
}

/* An EFI zboot image: the kernel is what it has inside. */
static void test_zboot(void **state)
{
	_cleanup_(kernel_image_free) struct kernel_image image = { 0 };
	struct kernel_image none;
	uint8_t file[24000] = "MZ\0\0zimg";
	struct bzimage kernel;
	uint32_t size;

	make_bzimage(&kernel, 0x3f98000);
	size = pack_zstd(&kernel, sizeof(kernel), file + 64, sizeof(file) - 64);
	put_le32(file + 8, 64);
	put_le32(file + 12, size);
	strcpy((char *)file + 24, "zstd");
	assert_no_error(kernel_image_parse("/boot/vmlinuz", memcpy(malloc(sizeof(file)), file, sizeof(file)),
					   sizeof(file), &image));
	assert_string_equal(image.format, "bzImage");
	assert_int_equal(image.file_size, sizeof(kernel));
	assert_memory_equal(image.file, &kernel, sizeof(kernel));
	assert_error(kernel_image_parse("/boot/vmlinuz", memcpy(malloc(size), file, size), size, &none), KD_ERR_FORMAT,
		     "is truncated: its compressed part ends at byte");
	memcpy(file + 64, "LZIP", 4);
	strcpy((char *)file + 24, "lzip");
	assert_error(kernel_image_parse("/boot/vmlinuz", memcpy(malloc(sizeof(file)), file, sizeof(file)), sizeof(file),
					&none),
		     KD_ERR_UNSUPPORTED, "an EFI zboot image compressed by lzip");
	assert_error(kernel_image_parse("/boot/vmlinuz", memcpy(malloc(32), file, 32), 32, &none), KD_ERR_FORMAT,
		     "is truncated");
}

/* --mem-min and --mem-max. */
static void test_memory_limits(void **state)
{
	_cleanup_(loader_image_free) struct loader_image *image = NULL;
	struct loader_request request;
	struct loader_image *none;
	struct tree tree;

	make_machine(&tree, &request);
	write_packed(&tree, 3);
	request.mem_min = 0x20000000;
	request.mem_max = 0x30000000;
	for (int fast = 0; fast < 2; fast++) {
		loader_image_free(image);
		request.fast = fast;
		assert_no_error(loader_prepare(&request, &image));
		for (size_t i = 0; i < image->segments.count; i++) {
			assert_true(image->segments.segment[i].mem >= 0x20000000);
			assert_true(image->segments.segment[i].mem + image->segments.segment[i].memsz <= 0x30000000);
		}
	}
	request.mem_max = 0x20001000;
	assert_error(loader_prepare(&request, &none), KD_ERR_LIMIT, "no room for the ");
	tree_remove(&tree);
}

/* Memory that the firmware's map has as persistent (e820 type 12) may hold data that somebody wants to find again: the
 * next kernel is told so, and nothing is put there, also where the running kernel uses it as RAM. */
static void test_persistent_memory(void **state)
{
	_cleanup_(loader_image_free) struct loader_image *image = NULL;
	struct loader_request request;
	bool found = false;
	const uint8_t *zp;
	struct tree tree;

	make_machine(&tree, &request);
	write_packed(&tree, 3);
	tree_text(&tree, "/proc/iomem",
		  "00001000-0009fbff : System RAM\n00100000-7fffffff : System RAM\n"
		  "80000000-bfffffff : Persistent Memory (legacy)\n  80200000-bfffffff : System RAM (kmem)\n");
	tree_text(&tree, "/sys/firmware/memmap/0/start", "0x1000\n");
	tree_text(&tree, "/sys/firmware/memmap/0/end", "0x7fffffff\n");
	tree_text(&tree, "/sys/firmware/memmap/0/type", "System RAM\n");
	tree_text(&tree, "/sys/firmware/memmap/1/start", "0x80000000\n");
	tree_text(&tree, "/sys/firmware/memmap/1/end", "0xbfffffff\n");
	tree_text(&tree, "/sys/firmware/memmap/1/type", "Persistent Memory (legacy)\n");
	assert_no_error(loader_prepare(&request, &image));
	for (size_t i = 0; i < image->segments.count; i++)
		assert_true(image->segments.segment[i].mem + image->segments.segment[i].memsz <= 0x80000000);
	zp = image->boot_info;
	for (size_t i = 0; i < zp[0x1e8]; i++) {
		const uint8_t *entry = zp + 0x2d0 + i * 20;

		if (get_le64(entry) >= 0x80000000) {
			assert_int_equal(get_le32(entry + 16), 12);
			found = true;
		}
	}
	assert_true(found);
	tree_remove(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vmlinux),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_vmlinux_faults),
		cmocka_unit_test(test_vmlinux_truncated),
		cmocka_unit_test(test_relocation_faults),
		cmocka_unit_test(test_fast),
		cmocka_unit_test(test_fast_fixed),
		cmocka_unit_test(test_fast_refused),
		cmocka_unit_test(test_fast_zstd),
		cmocka_unit_test(test_elf_kernel),
		cmocka_unit_test(test_uki),
		cmocka_unit_test(test_several_initrds),
		cmocka_unit_test(test_huge_initrd),
		cmocka_unit_test(test_large_initrd),
		cmocka_unit_test(test_zboot),
		cmocka_unit_test(test_memory_limits),
		cmocka_unit_test(test_persistent_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
