/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/loader/image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/decompress.h"
#include "base/io.h"
#include "base/text.h"
#include "kdump/loader/le.h"
#include "kdump/loader/uki.h"

#define IMAGE_MAX ((size_t)1 << 30)

/* A row per format. A format without parse() is only recognised, so that the error can name it. */
struct image_format {
	const char *name;
	bool (*probe)(const uint8_t *file, size_t size);
	uint16_t machine;
	struct kd_error *(*parse)(struct kernel_image *image);
	const char *remedy;
};

/* Offsets into the file, by the x86 boot protocol (Linux Documentation/arch/x86/boot.rst). */
enum {
	BZ_SETUP_SECTS = 0x1f1,
	BZ_SYSSIZE = 0x1f4,
	BZ_BOOT_FLAG = 0x1fe,
	BZ_JUMP = 0x201,
	BZ_MAGIC = 0x202,
	BZ_VERSION = 0x206,
	BZ_LOADFLAGS = 0x211,
	BZ_KERNEL_ALIGNMENT = 0x230,
	BZ_RELOCATABLE = 0x234,
	BZ_XLOADFLAGS = 0x236,
	BZ_CMDLINE_SIZE = 0x238,
	BZ_PREF_ADDRESS = 0x258,
	BZ_INIT_SIZE = 0x260,
	BZ_HEADER_END = 0x268, /* all of the above is inside */
};
enum {
	BZ_LOADED_HIGH = 1 << 0,
	BZ_XLF_KERNEL_64 = 1 << 0,
	BZ_XLF_ABOVE_4G = 1 << 1,
	BZ_XLF_EFI_KEXEC = 1 << 4,
	BZ_XLF_5LEVEL = 1 << 5,
};
#define BZ_VERSION_MIN 0x020c /* the first with a 64-bit entry */
#define BZ_ENTRY_64    0x200

static bool has(const uint8_t *file, size_t size, size_t offset, const char *magic, size_t length)
{
	return offset <= size && size - offset >= length && memcmp(file + offset, magic, length) == 0;
}

static bool bzimage_probe(const uint8_t *file, size_t size)
{
	return has(file, size, BZ_MAGIC, "HdrS", 4) && has(file, size, BZ_BOOT_FLAG, "\x55\xaa", 2);
}

/* The demands on the header, each with the text for a kernel that does not meet it. */
static const char *bzimage_fault(const uint8_t *h)
{
	uint16_t xloadflags = get_le16(h + BZ_XLOADFLAGS);

	if (get_le16(h + BZ_VERSION) < BZ_VERSION_MIN)
		return "is older than Linux 3.8 (boot protocol below 2.12)";
	if (!(xloadflags & BZ_XLF_KERNEL_64))
		return "is a 32-bit x86 kernel; a 64-bit one is needed";
	if (!(h[BZ_LOADFLAGS] & BZ_LOADED_HIGH))
		return "is a zImage, which cannot be loaded above 1 MiB; give a bzImage";
	if (h[BZ_RELOCATABLE] != 1)
		return "is not relocatable; build it with CONFIG_RELOCATABLE=y";
	if (!(xloadflags & BZ_XLF_ABOVE_4G))
		return "cannot read its boot data above 4 GiB; build it with CONFIG_RELOCATABLE=y";
	return NULL;
}

static bool power_of_two(uint64_t value)
{
	return value && (value & (value - 1)) == 0;
}

static struct kd_error *bzimage_parse(struct kernel_image *image)
{
	const uint8_t *h = image->file;
	const char *fault;
	size_t setup, expected;

	if (image->file_size < BZ_HEADER_END || h[BZ_JUMP] + (size_t)BZ_MAGIC < BZ_HEADER_END)
		return kd_error_create(KD_ERR_FORMAT,
				       "the boot header of kernel %s is cut short; install the kernel again",
				       image->path);
	fault = bzimage_fault(h);
	if (fault)
		return kd_error_create(KD_ERR_UNSUPPORTED, "kernel %s %s", image->path, fault);
	setup = ((h[BZ_SETUP_SECTS] ? h[BZ_SETUP_SECTS] : 4) + (size_t)1) * 512;
	expected = setup + (size_t)get_le32(h + BZ_SYSSIZE) * 16;
	if (image->file_size < expected || image->file_size <= setup + BZ_ENTRY_64)
		return kd_error_create(
			KD_ERR_FORMAT,
			"kernel %s is truncated: it has %zu bytes, its header says %zu; install the kernel again",
			image->path, image->file_size, expected);
	image->load = image->file + setup;
	image->load_size = image->file_size - setup;
	image->mem_size = get_le32(h + BZ_INIT_SIZE);
	image->align = get_le32(h + BZ_KERNEL_ALIGNMENT);
	image->lowest = get_le64(h + BZ_PREF_ADDRESS);
	image->entry = BZ_ENTRY_64;
	image->cmdline_max = get_le32(h + BZ_CMDLINE_SIZE);
	image->five_level = get_le16(h + BZ_XLOADFLAGS) & BZ_XLF_5LEVEL;
	image->efi_kexec = get_le16(h + BZ_XLOADFLAGS) & BZ_XLF_EFI_KEXEC;
	if (image->mem_size < image->load_size || !power_of_two(image->align) || image->align < 4096)
		return kd_error_create(KD_ERR_FORMAT,
				       "the boot header of kernel %s is corrupt: init_size %#" PRIx64
				       ", kernel_alignment %#" PRIx64 "; install the kernel again",
				       image->path, image->mem_size, image->align);
	return NULL;
}

static bool arm64_image_probe(const uint8_t *file, size_t size)
{
	return has(file, size, 0x38, "ARM\x64", 4);
}

static bool zboot_probe(const uint8_t *file, size_t size)
{
	return has(file, size, 0, "MZ", 2) && has(file, size, 4, "zimg", 4);
}

static bool riscv_image_probe(const uint8_t *file, size_t size)
{
	return has(file, size, 0x38, "RSC\x05", 4);
}

static bool elf_probe(const uint8_t *file, size_t size)
{
	return has(file, size, 0, ELFMAG, SELFMAG);
}

static bool pe_probe(const uint8_t *file, size_t size)
{
	return has(file, size, 0, "MZ", 2) && size >= 0x40 && has(file, size, get_le32(file + 0x3c), "PE\0\0", 4);
}

/* In this order: every bzImage with an EFI stub is a PE file too. */
static const struct image_format formats[] = {
	{ "bzImage", bzimage_probe, EM_X86_64, bzimage_parse, NULL },
	{ "an arm64 Image", arm64_image_probe, EM_AARCH64, NULL, "give a kernel for this machine's architecture" },
	{ "an EFI zboot image", zboot_probe, EM_NONE, NULL, "give a kernel for this machine's architecture" },
	{ "a RISC-V Image", riscv_image_probe, EM_RISCV, NULL, "give a kernel for this machine's architecture" },
	{ "an ELF file", elf_probe, EM_NONE, NULL, "give the bzImage (vmlinuz) of this kernel" },
	{ "a PE file without a kernel in it", pe_probe, EM_NONE, NULL,
	  "give a vmlinuz file or a unified kernel image" },
};

static const struct image_format *find_format(const uint8_t *file, size_t size)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].probe(file, size))
			return &formats[i];
	return NULL;
}

/* Keep the kernel of a unified kernel image, and nothing else. */
static struct kd_error *take_out(struct kernel_image *image)
{
	uint64_t offset, length;

	if (!uki_find(image->file, image->file_size, UKI_KERNEL, &offset, &length))
		return NULL;
	if (offset > image->file_size || length > image->file_size - offset)
		return kd_error_create(KD_ERR_FORMAT,
				       "%s is truncated: its kernel ends at byte %" PRIu64
				       " and the file at %zu; install it again",
				       image->path, offset + length, image->file_size);
	memmove(image->file, image->file + offset, length);
	image->file_size = length;
	return NULL;
}

/* Some distributions compress the finished bzImage again. */
static struct kd_error *expand(struct kernel_image *image)
{
	kd_decompress_fn *decompress = kd_decompress_probe(image->file, image->file_size);
	struct kd_error *err;
	size_t size;
	void *file;

	if (!decompress)
		return NULL;
	err = decompress(image->file, image->file_size, IMAGE_MAX, image->path, &file, &size);
	if (err)
		return kd_error_wrap(err, "cannot expand kernel %s", image->path);
	free(image->file);
	image->file = file;
	image->file_size = size;
	return NULL;
}

static struct kd_error *recognise(struct kernel_image *image)
{
	const struct image_format *format;
	struct kd_error *err;

	err = take_out(image);
	if (!err)
		err = expand(image);
	if (err)
		return err;
	format = find_format(image->file, image->file_size);
	if (!format)
		return kd_error_create(
			KD_ERR_FORMAT,
			"%s is not a kernel: its %zu bytes have no bzImage signature; give a vmlinuz file", image->path,
			image->file_size);
	if (!format->parse)
		return kd_error_create(KD_ERR_UNSUPPORTED, "kernel %s is %s, which cannot be loaded here; %s",
				       image->path, format->name, format->remedy);
	image->format = format->name;
	image->machine = format->machine;
	return format->parse(image);
}

struct kd_error *kernel_image_parse(const char *path, void *file, size_t size, struct kernel_image *ret)
{
	_cleanup_(kernel_image_free) struct kernel_image image = { .file = file, .file_size = size };
	struct kd_error *err;

	err = kd_set_text(&image.path, path);
	if (!err)
		err = recognise(&image);
	if (err)
		return err;
	*ret = image;
	image = (struct kernel_image){ 0 };
	return NULL;
}

struct kd_error *kernel_image_read(const struct kd_sysroot *root, const char *path, struct kernel_image *ret)
{
	struct kd_error *err;
	size_t size;
	void *file;

	err = image_read_file(root, path, &file, &size);
	if (err)
		return kd_error_wrap(err, "cannot read kernel");
	return kernel_image_parse(path, file, size, ret);
}

void kernel_image_free(struct kernel_image *image)
{
	free(image->path);
	free(image->file);
	*image = (struct kernel_image){ 0 };
}

struct kd_error *image_read_file(const struct kd_sysroot *root, const char *path, void **ret, size_t *size_ret)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_RDONLY | O_NONBLOCK);
	_cleanup_free_ void *buf = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return kd_error_os(errno, "%s%s", root->prefix, path);
	if (!S_ISREG(st.st_mode))
		return kd_error_create(KD_ERR_FORMAT, "%s%s: not a regular file", root->prefix, path);
	if (st.st_size == 0 || (uint64_t)st.st_size > IMAGE_MAX)
		return kd_error_create(KD_ERR_FORMAT, "%s%s: a file of %" PRId64 " bytes is not a kernel or initramfs",
				       root->prefix, path, (int64_t)st.st_size);
	buf = malloc(st.st_size);
	if (!buf)
		return kd_error_nomem();
	errno = EIO; /* for a file that got shorter meanwhile */
	if (kd_read_all(fd, buf, st.st_size) != st.st_size)
		return kd_error_os(errno, "%s%s", root->prefix, path);
	*ret = take_ptr(buf);
	*size_ret = st.st_size;
	return NULL;
}
