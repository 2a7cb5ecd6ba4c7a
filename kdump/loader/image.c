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
#include "kdump/loader/segments.h"
#include "kdump/loader/uki.h"

#define FILE_MAX   ((uint64_t)4 << 30) /* a unified kernel image with a large initramfs */
#define KERNEL_MAX ((size_t)1 << 30)   /* a kernel, expanded */

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
	BZ_PAYLOAD_OFFSET = 0x248,
	BZ_PAYLOAD_LENGTH = 0x24c,
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
	BZ_XLF_5LEVEL_ENABLED = 1 << 6,
};
#define BZ_VERSION_MIN 0x020c /* the first with a 64-bit entry */
#define BZ_ENTRY_64    0x200

/* The EFI zboot header (Linux drivers/firmware/efi/libstub/zboot-header.S). */
enum {
	ZBOOT_MAGIC = 4,
	ZBOOT_OFFSET = 8,
	ZBOOT_SIZE = 12,
	ZBOOT_TYPE = 24,
	ZBOOT_HEADER_SIZE = 64,
};
#define ZBOOT_TYPE_SIZE 32 /* the name of the compression, NUL-terminated */

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
	size_t setup, expected, payload, length;
	const char *fault;

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
	image->header = h;
	image->load = image->file + setup;
	image->load_size = image->file_size - setup;
	payload = get_le32(h + BZ_PAYLOAD_OFFSET);
	length = get_le32(h + BZ_PAYLOAD_LENGTH);
	if (payload < image->load_size && length <= image->load_size - payload)
		image->payload = (struct image_part){ image->load + payload, length };
	image->mem_size = get_le32(h + BZ_INIT_SIZE);
	image->align = get_le32(h + BZ_KERNEL_ALIGNMENT);
	image->lowest = get_le64(h + BZ_PREF_ADDRESS);
	image->entry = BZ_ENTRY_64;
	image->cmdline_max = get_le32(h + BZ_CMDLINE_SIZE);
	image->five_level = get_le16(h + BZ_XLOADFLAGS) & BZ_XLF_5LEVEL;
	image->uses_five = get_le16(h + BZ_XLOADFLAGS) & BZ_XLF_5LEVEL_ENABLED;
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

/* Offsets into the file (Linux Documentation/arm64/booting.rst). */
enum {
	ARM64_TEXT_OFFSET = 0x08,
	ARM64_IMAGE_SIZE = 0x10,
	ARM64_FLAGS = 0x18,
	ARM64_HEADER_SIZE = 0x40,
};
enum { ARM64_BIG_ENDIAN = 1 << 0 };
#define ARM64_ALIGN       ((uint64_t)2 << 20)
#define ARM64_CMDLINE_MAX 2047

static struct kd_error *arm64_image_parse(struct kernel_image *image)
{
	const uint8_t *h = image->file;

	if (image->file_size < ARM64_HEADER_SIZE)
		return kd_error_create(KD_ERR_FORMAT, "kernel %s is truncated; install it again", image->path);
	image->mem_size = get_le64(h + ARM64_IMAGE_SIZE);
	image->offset = get_le64(h + ARM64_TEXT_OFFSET);
	if (image->mem_size == 0)
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "kernel %s is older than Linux 3.17: its header does not say how much memory it "
				       "takes",
				       image->path);
	if (get_le64(h + ARM64_FLAGS) & ARM64_BIG_ENDIAN)
		return kd_error_create(KD_ERR_UNSUPPORTED, "kernel %s is a big-endian kernel; give a little-endian one",
				       image->path);
	if (image->offset >= ARM64_ALIGN || image->offset % SEGMENT_PAGE || image->mem_size > KERNEL_MAX)
		return kd_error_create(KD_ERR_FORMAT,
				       "the header of kernel %s is corrupt: text_offset %#" PRIx64
				       ", image_size %#" PRIx64 "; install the kernel again",
				       image->path, image->offset, image->mem_size);
	image->load = image->file;
	/* Behind the image there may be a signature. */
	image->load_size = image->file_size < image->mem_size ? image->file_size : image->mem_size;
	image->align = ARM64_ALIGN;
	image->cmdline_max = ARM64_CMDLINE_MAX;
	return NULL;
}

static bool zboot_probe(const uint8_t *file, size_t size)
{
	return has(file, size, 0, "MZ", 2) && has(file, size, 4, "zimg", 4);
}

static bool vmlinux_probe(const uint8_t *file, size_t size)
{
	static const char class_and_data[] = { ELFCLASS64, ELFDATA2LSB };

	return has(file, size, 0, ELFMAG, SELFMAG) && has(file, size, EI_CLASS, class_and_data, 2) &&
	       size >= sizeof(Elf64_Ehdr) && get_le16(file + offsetof(Elf64_Ehdr, e_machine)) == EM_X86_64;
}

static void use_vmlinux(struct kernel_image *image)
{
	image->load = image->vmlinux.memory;
	image->load_size = image->vmlinux.size;
	image->mem_size = image->vmlinux.mem_size;
	image->lowest = image->vmlinux.link;
	image->entry = image->vmlinux.entry;
}

/* The header that its bzImage would have, as far as the kernel itself looks at it. */
static struct kd_error *vmlinux_image_parse(struct kernel_image *image)
{
	uint8_t *h = image->made_header;
	struct kd_error *err;

	err = vmlinux_parse(image->path, image->file, image->file_size, &image->vmlinux);
	if (err)
		return err;
	use_vmlinux(image);
	image->align = VMLINUX_ALIGN;
	image->cmdline_max = VMLINUX_CMDLINE_MAX;
	image->efi_kexec = true; /* a kernel without EFI ignores it */
	memcpy(h + BZ_BOOT_FLAG, "\x55\xaa", 2);
	h[BZ_JUMP] = BZ_HEADER_END - BZ_MAGIC;
	memcpy(h + BZ_MAGIC, "HdrS", 4);
	put_le16(h + BZ_VERSION, BZ_VERSION_MIN);
	put_le32(h + BZ_KERNEL_ALIGNMENT, image->align);
	h[BZ_RELOCATABLE] = 1;
	put_le16(h + BZ_XLOADFLAGS, BZ_XLF_KERNEL_64 | BZ_XLF_ABOVE_4G);
	put_le32(h + BZ_CMDLINE_SIZE, image->cmdline_max);
	put_le64(h + BZ_PREF_ADDRESS, image->lowest);
	put_le32(h + BZ_INIT_SIZE, image->mem_size);
	image->header = h;
	return NULL;
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
	{ "arm64 Image", arm64_image_probe, EM_AARCH64, arm64_image_parse, NULL },
	{ "a RISC-V Image", riscv_image_probe, EM_RISCV, NULL, "give a kernel for this machine's architecture" },
	{ "vmlinux", vmlinux_probe, EM_X86_64, vmlinux_image_parse, NULL },
	{ "an ELF file", elf_probe, EM_NONE, NULL, "give a kernel for this machine's architecture" },
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

static struct kd_error *find_part(const struct kernel_image *image, const char *name, struct image_part *ret)
{
	uint64_t offset, length;

	if (!uki_find(image->container, image->file_size, name, &offset, &length))
		return NULL;
	if (offset > image->file_size || length > image->file_size - offset)
		return kd_error_create(KD_ERR_FORMAT,
				       "%s is truncated: its section %s ends at byte %" PRIu64
				       " and the file at %zu; install it again",
				       image->path, name, offset + length, image->file_size);
	*ret = (struct image_part){ image->container + offset, length };
	return NULL;
}

/* Find the parts of a unified kernel image, and go on with the kernel. */
static struct kd_error *take_out(struct kernel_image *image)
{
	struct image_part kernel = { 0 };
	struct kd_error *err;

	err = find_part(image, UKI_KERNEL, &kernel);
	if (err || !kernel.data)
		return err;
	err = find_part(image, UKI_INITRD, &image->initrd);
	if (!err)
		err = find_part(image, UKI_UCODE, &image->ucode);
	if (!err)
		err = find_part(image, UKI_CMDLINE, &image->cmdline);
	if (err)
		return err;
	image->file = kernel.data;
	image->file_size = kernel.size;
	return NULL;
}

/* Expand @packed, and go on with that. */
static struct kd_error *expand_part(struct kernel_image *image, const struct image_part *packed)
{
	kd_decompress_fn *decompress = kd_decompress_probe(packed->data, packed->size);
	struct kd_error *err;
	size_t size;
	void *file;

	if (!decompress)
		return NULL;
	err = decompress(packed->data, packed->size, KERNEL_MAX, image->path, &file, &size);
	if (err)
		return kd_error_wrap(err, "cannot expand kernel %s", image->path);
	free(image->expanded);
	image->expanded = file;
	image->file = file;
	image->file_size = size;
	return NULL;
}

/* All formats but gzip's have no size of their own: the kernel's build puts it behind the data. */
static struct image_part without_size(const struct image_part *packed)
{
	struct image_part part = *packed;

	if (part.size > 4 && kd_decompress_probe(part.data, part.size) != kd_decompress_gzip)
		part.size -= 4;
	return part;
}

static struct kd_error *expand_zboot(struct kernel_image *image)
{
	const uint8_t *h = image->file;
	struct image_part packed;
	uint32_t offset, size;

	if (!zboot_probe(h, image->file_size))
		return NULL;
	if (image->file_size < ZBOOT_HEADER_SIZE)
		return kd_error_create(KD_ERR_FORMAT, "kernel %s is truncated; install it again", image->path);
	offset = get_le32(h + ZBOOT_OFFSET);
	size = get_le32(h + ZBOOT_SIZE);
	if (offset > image->file_size || size > image->file_size - offset)
		return kd_error_create(KD_ERR_FORMAT,
				       "kernel %s is truncated: its compressed part ends at byte %" PRIu64
				       " and the file at %zu; install it again",
				       image->path, (uint64_t)offset + size, image->file_size);
	packed = (struct image_part){ h + offset, size };
	if (!kd_decompress_probe(packed.data, packed.size))
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "kernel %s is an EFI zboot image compressed by %.*s, which cannot be expanded "
				       "here; build it with gzip, xz, zstd or lz4",
				       image->path, ZBOOT_TYPE_SIZE, (const char *)h + ZBOOT_TYPE);
	packed = without_size(&packed);
	return expand_part(image, &packed);
}

/* Some distributions compress the finished bzImage again. */
static struct kd_error *expand(struct kernel_image *image)
{
	struct image_part all = { image->file, image->file_size };

	return expand_part(image, &all);
}

static struct kd_error *recognise(struct kernel_image *image)
{
	const struct image_format *format;
	struct kd_error *err;

	err = take_out(image);
	if (!err)
		err = expand(image);
	if (!err)
		err = expand_zboot(image);
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
	_cleanup_(kernel_image_free) struct kernel_image image = { .container = file, .file = file, .file_size = size };
	struct kd_error *err;

	err = kd_set_text(&image.path, path);
	if (!err)
		err = recognise(&image);
	if (err)
		return err;
	*ret = image;
	if (image.header == image.made_header)
		ret->header = ret->made_header;
	image = (struct kernel_image){ 0 };
	return NULL;
}

struct kd_error *kernel_image_read(const struct kd_sysroot *root, const char *path, struct kernel_image *ret)
{
	_cleanup_close_ int fd = -1;
	struct kd_error *err;
	size_t size;
	void *file;

	err = image_open_file(root, path, FILE_MAX, &fd, &size);
	if (err)
		return kd_error_wrap(err, "cannot read kernel");
	file = malloc(size);
	if (!file)
		return kd_error_nomem();
	errno = EIO; /* for a file that got shorter meanwhile */
	if (kd_read_all(fd, file, size) != (ssize_t)size) {
		free(file);
		return kd_error_os(errno, "cannot read kernel: %s%s", root->prefix, path);
	}
	return kernel_image_parse(path, file, size, ret);
}

struct kd_error *kernel_image_unpack(struct kernel_image *image)
{
	struct image_part packed = without_size(&image->payload);
	kd_decompress_fn *decompress = kd_decompress_probe(packed.data, packed.size);
	_cleanup_free_ void *file = NULL;
	struct kd_error *err;
	size_t size;

	if (!packed.data || !decompress)
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "kernel %s is compressed by none of gzip, xz, lzma, zstd and lz4", image->path);
	err = decompress(packed.data, packed.size, KERNEL_MAX, image->path, &file, &size);
	if (!err)
		err = vmlinux_parse(image->path, file, size, &image->vmlinux);
	if (err)
		return err;
	use_vmlinux(image);
	return NULL;
}

void kernel_image_free(struct kernel_image *image)
{
	free(image->path);
	free(image->container);
	free(image->expanded);
	vmlinux_free(&image->vmlinux);
	*image = (struct kernel_image){ 0 };
}

struct kd_error *image_open_file(const struct kd_sysroot *root, const char *path, uint64_t max, int *fd_ret,
				 size_t *size_ret)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_RDONLY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return kd_error_os(errno, "%s%s", root->prefix, path);
	if (!S_ISREG(st.st_mode))
		return kd_error_create(KD_ERR_FORMAT, "%s%s: not a regular file", root->prefix, path);
	if (st.st_size == 0)
		return kd_error_create(KD_ERR_FORMAT, "%s%s: an empty file is not a kernel or initramfs", root->prefix,
				       path);
	if ((uint64_t)st.st_size > max)
		return kd_error_create(KD_ERR_LIMIT, "%s%s has %" PRId64 " MiB; there is room for %" PRIu64,
				       root->prefix, path, (int64_t)(st.st_size >> 20), max >> 20);
	*fd_ret = take_fd(fd);
	*size_ret = st.st_size;
	return NULL;
}
