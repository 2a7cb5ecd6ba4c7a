/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x86_64: the 64-bit boot protocol (Linux Documentation/arch/x86/{boot,zero-page}.rst). */
#include <assert.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/parse.h"
#include "kdump/loader/cmdline.h"
#include "kdump/loader/identity_map.h"
#include "kdump/loader/layout.h"
#include "kdump/loader/le.h"
#include "kdump/loader/purgatory/purgatory.h"

/* Offsets into the zero page; the setup header is copied from the same offsets of the kernel file. */
enum {
	ZP_EXT_MEM_K = 0x002,
	ZP_ACPI_RSDP = 0x070,
	ZP_EXT_RAMDISK_IMAGE = 0x0c0,
	ZP_EXT_RAMDISK_SIZE = 0x0c4,
	ZP_EXT_CMD_LINE_PTR = 0x0c8,
	ZP_EFI_INFO = 0x1c0,
	ZP_E820_ENTRIES = 0x1e8,
	ZP_SETUP_HEADER = 0x1f1,
	ZP_JUMP = 0x201,
	ZP_TYPE_OF_LOADER = 0x210,
	ZP_LOADFLAGS = 0x211,
	ZP_RAMDISK_IMAGE = 0x218,
	ZP_RAMDISK_SIZE = 0x21c,
	ZP_CMD_LINE_PTR = 0x228,
	ZP_SETUP_DATA = 0x250,
	ZP_E820_TABLE = 0x2d0,
	ZP_SIZE = 4096,
};

/* struct efi_info */
enum {
	EFI_SIGNATURE = ZP_EFI_INFO,
	EFI_MEMDESC_SIZE = ZP_EFI_INFO + 8,
	EFI_MEMMAP = ZP_EFI_INFO + 16,
	EFI_MEMMAP_SIZE = ZP_EFI_INFO + 20,
	EFI_MEMMAP_HI = ZP_EFI_INFO + 28,
	EFI_INFO_SIZE = 32,
};
#define EFI_SIGNATURE_64 "EL64"

enum {
	SETUP_E820_EXT = 1,
	SETUP_EFI = 4,
	SETUP_RNG_SEED = 9,
	SETUP_DATA_HEADER = 16, /* next, type, len */
};

#define E820_ENTRY_SIZE     20
#define E820_MAX_ZEROPAGE   128
#define EFI_DESCRIPTOR_SIZE 40
#define LOADER_KEXEC        0xd0
#define KASLR_FLAG          0x02       /* in loadflags: the kernel randomizes its other addresses, too */
#define CPUID_LA57          (1u << 16) /* leaf 7, ecx */
#define BOOT_PARAMS         "/sys/kernel/boot_params/data"

/* Facts about the machine that the next kernel cannot find out for itself. The running kernel's zero page has them from
 * the boot loader; the loader copies them. */
static const struct {
	uint16_t offset, size;
} inherited[] = {
	{ 0x000, 64 },  /* screen_info */
	{ 0x140, 128 }, /* edid_info */
	{ 0x1e9, 2 },   /* numbers of EDD and MBR signature entries … */
	{ 0x290, 64 },  /* … MBR signatures … */
	{ 0xd00, 492 }, /* … EDD */
	{ 0x1ec, 1 },   /* secure_boot */
	{ 0x23c, 12 },  /* hardware_subarch and its data */
};

static const uint32_t e820_types[MEMORY_TYPES] = {
	[MEMORY_RAM] = 1,      [MEMORY_RESERVED] = 2, [MEMORY_ACPI] = 3,         [MEMORY_NVS] = 4,
	[MEMORY_UNUSABLE] = 5, [MEMORY_PMEM] = 7,     [MEMORY_PMEM_LEGACY] = 12, [MEMORY_SOFT_RESERVED] = 0xefffffff,
};

/* Everything that goes into the segment, except addresses inside it. */
struct x86_boot {
	const struct loader_image *image;
	uint8_t old[ZP_SIZE]; /* the running kernel's zero page; zeros if unknown */
	uint64_t rsdp;
	struct memory_list e820;
	bool has_seed, has_efi;
	uint8_t seed[32];
	uint8_t efi_setup[96]; /* SETUP_EFI */
	uint8_t *efi_map;      /* descriptors of the run-time services */
	size_t efi_map_size;
};

static void x86_boot_free(struct x86_boot *boot)
{
	memory_list_free(&boot->e820);
	free(boot->efi_map);
}

static inline void x86_boot_free_cleanup(struct x86_boot *boot)
{
	x86_boot_free(boot);
}

/* --- from the running kernel -------------------------------------------------------------------------------------- */

static struct kd_error *read_old_zero_page(const struct kd_sysroot *root, const struct kd_log *log, uint8_t *ret)
{
	_cleanup_free_ char *data = NULL;
	struct kd_error *err;
	size_t size;

	err = kd_sysroot_read(root, BOOT_PARAMS, &data, &size);
	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		err = kd_sysroot_read(root, "/sys/kernel/debug/boot_params/data", &data, &size);
	}
	if (err) {
		kd_warn(log, "the next kernel will not know the screen and the ACPI tables: %s", err->text);
		kd_error_destroy(err);
		return NULL;
	}
	if (size != ZP_SIZE)
		return kd_error_create(KD_ERR_FORMAT, BOOT_PARAMS " has %zu bytes instead of %d", size, ZP_SIZE);
	memcpy(ret, data, ZP_SIZE);
	return NULL;
}

/* The value of "KEY=0x…" in /sys/firmware/efi/systab; 0 if there is none. */
static uint64_t systab_value(const struct kd_sysroot *root, const char *key)
{
	_cleanup_free_ char *text = NULL;
	char *cursor, *line;
	uint64_t value = 0;

	kd_error_destroy(kd_sysroot_read(root, "/sys/firmware/efi/systab", &text, NULL));
	for (cursor = text; cursor && (line = strsep(&cursor, "\n"));)
		if (kd_starts_with(line, key) && kd_parse_u64(line + strlen(key), 16, &value))
			break;
	return value;
}

/* After a boot through the EFI stub the running kernel's zero page has no RSDP. */
static uint64_t find_rsdp(const struct kd_sysroot *root, const struct x86_boot *boot)
{
	uint64_t rsdp = get_le64(boot->old + ZP_ACPI_RSDP);

	if (!rsdp)
		rsdp = systab_value(root, "ACPI20=");
	return rsdp ? rsdp : systab_value(root, "ACPI=");
}

/* --- EFI run-time services ---------------------------------------------------------------------------------------- */

/* Append runtime-map/N as an EFI memory descriptor; *end := there is no such entry. */
static struct kd_error *add_efi_descriptor(const struct kd_sysroot *root, size_t n, struct x86_boot *boot, bool *end)
{
	static const char *const fields[] = { "type", "phys_addr", "virt_addr", "num_pages", "attribute" };
	uint8_t *grown, *d;
	size_t i;

	grown = realloc(boot->efi_map, boot->efi_map_size + EFI_DESCRIPTOR_SIZE);
	if (!grown)
		return kd_error_nomem();
	boot->efi_map = grown;
	d = grown + boot->efi_map_size;
	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		struct kd_error *err;
		uint64_t value;

		err = kd_sysroot_read_u64(root, 0, &value, "/sys/firmware/efi/runtime-map/%zu/%s", n, fields[i]);
		if (err && err->errnum == ENOENT && i == 0) {
			kd_error_destroy(err);
			*end = true;
			return NULL;
		}
		if (err)
			return err;
		put_le64(d + i * 8, value); /* the 32-bit type has 32 bits of padding */
	}
	boot->efi_map_size += EFI_DESCRIPTOR_SIZE;
	return NULL;
}

static struct kd_error *read_efi(const struct kd_sysroot *root, struct x86_boot *boot)
{
	uint64_t vendor, tables;
	struct kd_error *err;
	bool end = false;
	size_t n;

	err = kd_sysroot_read_u64(root, 0, &vendor, "/sys/firmware/efi/fw_vendor");
	if (!err)
		err = kd_sysroot_read_u64(root, 0, &tables, "/sys/firmware/efi/config_table");
	if (err)
		return err;
	put_le64(boot->efi_setup, vendor);
	put_le64(boot->efi_setup + 16, tables);
	put_le64(boot->efi_setup + 24, systab_value(root, "SMBIOS="));
	for (n = 0; !end; n++) {
		err = add_efi_descriptor(root, n, boot, &end);
		if (err)
			return err;
	}
	return NULL;
}

/* Hand EFI over completely or not at all. The loader passes only the run-time map: if a map had free memory in it, the
 * decompressor's KASLR would use it instead of the e820 table, and put a panic kernel into the crashed kernel's memory.
 * */
static void take_efi(const struct kd_sysroot *root, struct x86_boot *boot)
{
	_cleanup_(kd_error_destroy) struct kd_error *err = NULL;
	uint64_t bits;

	if (!kd_sysroot_exists(root, "/sys/firmware/efi"))
		return;
	err = kd_sysroot_read_u64(root, 10, &bits, "/sys/firmware/efi/fw_platform_size");
	if (!err && boot->image->kernel.efi_kexec && bits == 64 && get_le32(boot->old + EFI_MEMMAP_SIZE) &&
	    memcmp(boot->old + EFI_SIGNATURE, EFI_SIGNATURE_64, 4) == 0)
		err = read_efi(root, boot);
	boot->has_efi = !err && boot->efi_map_size;
	if (!boot->has_efi)
		kd_debug(boot->image->log, "the next kernel will have no EFI run-time services%s%s", err ? ": " : "",
			 err ? err->text : "");
}

/* --- e820 --------------------------------------------------------------------------------------------------------- */

static bool add_ranges(struct memory_list *list, const struct kd_ranges *ranges, enum memory_type type)
{
	size_t i;

	for (i = 0; i < ranges->count; i++)
		if (!memory_list_add(list, ranges->range[i].start, ranges->range[i].end, type))
			return false;
	return true;
}

/* Everything but RAM: without it the next kernel does not find PCI configuration space and ACPI. */
static bool add_special(struct memory_list *list, const struct memory_list *iomem)
{
	enum memory_type type;

	for (type = MEMORY_RAM + 1; type < MEMORY_TYPES; type++) {
		_cleanup_(kd_ranges_free) struct kd_ranges ranges = { 0 };

		if (!memory_list_ranges(iomem, type, &ranges) || !add_ranges(list, &ranges, type))
			return false;
	}
	return true;
}

/* The panic kernel must not know the crashed kernel's memory. It needs some below 1 MiB for its real-mode code, which
 * the crashed kernel does not use. Its elfcorehdr must not be RAM, or the panic kernel could not map it as old memory.
 * */
static bool panic_e820(const struct loader_image *image, struct memory_list *ret)
{
	const struct segment *elfcorehdr = segments_find(&image->segments, "elfcorehdr");
	_cleanup_(kd_ranges_free) struct kd_ranges ram = { 0 }, crash = { 0 };
	size_t i;

	assert(elfcorehdr); /* lay_out() places it before the boot info */
	if (!kd_ranges_copy(&image->memory.ram, &ram) || !kd_ranges_clip(&ram, 0, image->arch->low_reserved) ||
	    !kd_ranges_copy(&image->memory.crash, &crash) ||
	    !kd_ranges_subtract(&crash, elfcorehdr->mem, elfcorehdr->mem + elfcorehdr->memsz))
		return false;
	for (i = 0; i < image->memory.cma.count; i++)
		if (!kd_ranges_add(&crash, image->memory.cma.range[i].start, image->memory.cma.range[i].end))
			return false;
	return add_ranges(ret, &ram, MEMORY_RAM) && add_ranges(ret, &crash, MEMORY_RAM) &&
	       add_special(ret, &image->memory.iomem);
}

/* The firmware's map. Memory that the running kernel has taken out of RAM since, for example for EFI tables, stays out.
 * */
static bool reboot_e820(const struct loader_image *image, struct memory_list *ret)
{
	const struct memory_list *firmware = &image->memory.firmware, *iomem = &image->memory.iomem;
	_cleanup_(kd_ranges_free) struct kd_ranges ram = { 0 };
	enum memory_type type;

	if (!firmware->count) /* then use the running kernel's map */
		return add_ranges(ret, &image->memory.ram, MEMORY_RAM) && add_special(ret, iomem);
	if (!memory_list_ranges(firmware, MEMORY_RAM, &ram))
		return false;
	for (type = MEMORY_RAM + 1; type < MEMORY_TYPES; type++) {
		_cleanup_(kd_ranges_free) struct kd_ranges now = { 0 }, special = { 0 };

		if (!memory_list_ranges(iomem, type, &now) || !kd_ranges_intersect(&now, &ram, &special) ||
		    !kd_ranges_subtract_all(&ram, &special) || !memory_list_ranges(firmware, type, &special) ||
		    !add_ranges(ret, &special, type))
			return false;
	}
	return add_ranges(ret, &ram, MEMORY_RAM);
}

static void put_e820(uint8_t *to, const struct memory_entry *entry, size_t count)
{
	for (; count--; entry++, to += E820_ENTRY_SIZE) {
		put_le64(to, entry->range.start);
		put_le64(to + 8, entry->range.end - entry->range.start);
		put_le32(to + 16, e820_types[entry->type]);
	}
}

/* --- the segment -------------------------------------------------------------------------------------------------- */

/* A growing block of bytes. Appended items keep their offset, so base + offset is their address. */
struct blob {
	uint8_t *data;
	size_t size;
	uint64_t base;
	size_t link; /* offset of the pointer that the next setup_data item hangs on */
};

static void blob_free(struct blob *blob)
{
	free(blob->data);
}

static inline void blob_free_cleanup(struct blob *blob)
{
	blob_free(blob);
}

/* Append @size zeros, 16-byte aligned; *at := their offset. */
static bool blob_grow(struct blob *blob, size_t size, size_t *at)
{
	size_t start = (blob->size + 15) & ~(size_t)15;
	uint8_t *grown = realloc(blob->data, start + size);

	if (!grown)
		return false;
	memset(grown + blob->size, 0, start + size - blob->size);
	blob->data = grown;
	blob->size = start + size;
	*at = start;
	return true;
}

/* Append a setup_data item and hang it on the chain; *at := offset of its payload. */
static bool add_setup_data(struct blob *blob, uint32_t type, size_t size, size_t *at)
{
	size_t item;

	if (!blob_grow(blob, SETUP_DATA_HEADER + size, &item))
		return false;
	put_le64(blob->data + blob->link, blob->base + item);
	blob->link = item;
	put_le32(blob->data + item + 8, type);
	put_le32(blob->data + item + 12, size);
	*at = item + SETUP_DATA_HEADER;
	return true;
}

static bool add_cmdline(struct blob *blob, const char *cmdline)
{
	size_t at;

	if (!blob_grow(blob, strlen(cmdline) + 1, &at))
		return false;
	memcpy(blob->data + at, cmdline, strlen(cmdline));
	put_le32(blob->data + ZP_CMD_LINE_PTR, blob->base + at);
	put_le32(blob->data + ZP_EXT_CMD_LINE_PTR, (blob->base + at) >> 32);
	return true;
}

static bool add_e820_rest(struct blob *blob, const struct memory_list *e820)
{
	size_t count = e820->count, at;

	if (count <= E820_MAX_ZEROPAGE)
		return true;
	count -= E820_MAX_ZEROPAGE;
	if (!add_setup_data(blob, SETUP_E820_EXT, count * E820_ENTRY_SIZE, &at))
		return false;
	put_e820(blob->data + at, e820->entry + E820_MAX_ZEROPAGE, count);
	return true;
}

static bool add_efi(struct blob *blob, const struct x86_boot *boot)
{
	size_t at;

	if (!boot->has_efi)
		return true;
	if (!add_setup_data(blob, SETUP_EFI, sizeof(boot->efi_setup), &at))
		return false;
	memcpy(blob->data + at, boot->efi_setup, sizeof(boot->efi_setup));
	if (!blob_grow(blob, boot->efi_map_size, &at))
		return false;
	memcpy(blob->data + at, boot->efi_map, boot->efi_map_size);
	memcpy(blob->data + ZP_EFI_INFO, boot->old + ZP_EFI_INFO, EFI_INFO_SIZE); /* signature, system table */
	put_le32(blob->data + EFI_MEMDESC_SIZE, EFI_DESCRIPTOR_SIZE);
	put_le32(blob->data + EFI_MEMMAP, blob->base + at);
	put_le32(blob->data + EFI_MEMMAP_HI, (blob->base + at) >> 32);
	put_le32(blob->data + EFI_MEMMAP_SIZE, boot->efi_map_size);
	return true;
}

static bool add_rng_seed(struct blob *blob, const struct x86_boot *boot, size_t *seed)
{
	size_t at;

	*seed = 0;

	if (!boot->has_seed)
		return true;
	if (!add_setup_data(blob, SETUP_RNG_SEED, sizeof(boot->seed), &at))
		return false;
	memcpy(blob->data + at, boot->seed, sizeof(boot->seed));
	*seed = at;
	return true;
}

static bool add_zero_page(struct blob *blob, const struct x86_boot *boot)
{
	const struct loader_image *image = boot->image;
	const uint8_t *header = image->kernel.header;
	size_t header_end = ZP_JUMP + 1 + header[ZP_JUMP], i, at;
	size_t first = boot->e820.count < E820_MAX_ZEROPAGE ? boot->e820.count : E820_MAX_ZEROPAGE;
	uint8_t *zp;

	if (!blob_grow(blob, ZP_SIZE, &at))
		return false;
	zp = blob->data;
	if (header_end > KERNEL_HEADER_SIZE)
		header_end = KERNEL_HEADER_SIZE;
	memcpy(zp + ZP_SETUP_HEADER, header + ZP_SETUP_HEADER, header_end - ZP_SETUP_HEADER);
	for (i = 0; i < ARRAY_SIZE(inherited); i++)
		memcpy(zp + inherited[i].offset, boot->old + inherited[i].offset, inherited[i].size);
	memset(zp + ZP_EXT_MEM_K, 0, 2);
	put_le64(zp + ZP_ACPI_RSDP, boot->rsdp);
	zp[ZP_TYPE_OF_LOADER] = LOADER_KEXEC;
	zp[ZP_LOADFLAGS] = image->random ? KASLR_FLAG : 0;
	put_le64(zp + ZP_SETUP_DATA, 0);
	put_le32(zp + ZP_RAMDISK_IMAGE, image->initrd_address);
	put_le32(zp + ZP_RAMDISK_SIZE, image->initrd.size);
	put_le32(zp + ZP_EXT_RAMDISK_SIZE, (uint64_t)image->initrd.size >> 32);
	put_le32(zp + ZP_EXT_RAMDISK_IMAGE, image->initrd_address >> 32);
	zp[ZP_E820_ENTRIES] = first;
	put_e820(zp + ZP_E820_TABLE, boot->e820.entry, first);
	return true;
}

/* The whole segment as it is at physical address @base. Its size does not depend on @base. */
static struct kd_error *build(const struct x86_boot *boot, uint64_t base, void **ret, size_t *size_ret,
			      size_t *seed_ret)
{
	_cleanup_(blob_free) struct blob blob = { .base = base, .link = ZP_SETUP_DATA };

	if (!add_zero_page(&blob, boot) || !add_cmdline(&blob, boot->image->boot_cmdline) ||
	    !add_e820_rest(&blob, &boot->e820) || !add_efi(&blob, boot) || !add_rng_seed(&blob, boot, seed_ret))
		return kd_error_nomem();
	*ret = take_ptr(blob.data);
	*size_ret = blob.size;
	return NULL;
}

static struct kd_error *gather(const struct kd_sysroot *root, struct x86_boot *boot)
{
	const struct loader_image *image = boot->image;
	struct kd_error *err;

	err = read_old_zero_page(root, image->log, boot->old);
	if (err)
		return err;
	boot->rsdp = find_rsdp(root, boot);
	take_efi(root, boot);
	/* For CPUs without a random number instruction. A capture kernel that loads this fills in a seed of its own. */
	boot->has_seed = image->policy == LOADER_RETURN ||
			 getrandom(boot->seed, sizeof(boot->seed), GRND_NONBLOCK) == sizeof(boot->seed);
	if (!(loader_is_capture(image) ? panic_e820 : reboot_e820)(image, &boot->e820))
		return kd_error_nomem();
	memory_list_sort(&boot->e820);
	return NULL;
}

static struct kd_error *place_boot_info(const struct kd_sysroot *root, struct loader_image *image)
{
	static const struct segment_place place = { SEGMENT_PAGE, 0, UINT64_MAX, true };
	_cleanup_(x86_boot_free) struct x86_boot boot = { .image = image };
	struct segment segment = { .name = "boot info", .unchecked = image->policy == LOADER_RETURN };
	struct kd_error *err;
	void *data;

	err = gather(root, &boot);
	if (!err)
		err = build(&boot, 0, &data, &segment.bufsz, &image->seed);
	if (err)
		return err;
	segment.buf = data;
	err = segments_add(&image->segments, &segment, &place, &image->boot_info_address);
	free(data);
	if (!err)
		err = build(&boot, image->boot_info_address, &image->boot_info, &image->boot_info_size, &image->seed);
	if (!err)
		image->segments.segment[image->segments.count - 1].buf = image->boot_info;
	return err;
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

static const char *e820_type_name(uint32_t number)
{
	enum memory_type type;

	for (type = 0; type < MEMORY_TYPES; type++)
		if (e820_types[type] == number)
			return memory_type_name(type);
	return "?";
}

static void print_e820(const uint8_t *entry, size_t count, FILE *out)
{
	for (; count--; entry += E820_ENTRY_SIZE) {
		uint64_t start = get_le64(entry), size = get_le64(entry + 8);
		uint32_t type = get_le32(entry + 16);

		fprintf(out, "  0x%012" PRIx64 "-0x%012" PRIx64 " %" PRIu32 " %s\n", start, start + size, type,
			e820_type_name(type));
	}
}

static void print_boot_info(const struct loader_image *image, FILE *out)
{
	static const char *const names[] = {
		[SETUP_E820_EXT] = "e820 entries", [SETUP_EFI] = "EFI", [SETUP_RNG_SEED] = "random seed"
	};
	const uint8_t *zp = image->boot_info;
	uint64_t next;

	fprintf(out, "e820 (%u entries in the zero page):\n", zp[ZP_E820_ENTRIES]);
	print_e820(zp + ZP_E820_TABLE, zp[ZP_E820_ENTRIES], out);
	fprintf(out, "ACPI RSDP 0x%" PRIx64 "\n", get_le64(zp + ZP_ACPI_RSDP));
	fprintf(out, "EFI run-time map: %" PRIu32 " bytes\n", get_le32(zp + EFI_MEMMAP_SIZE));
	fprintf(out, "setup_data:\n");
	for (next = get_le64(zp + ZP_SETUP_DATA); next;) {
		const uint8_t *item = zp + (next - image->boot_info_address);
		uint32_t type = get_le32(item + 8), size = get_le32(item + 12);

		fprintf(out, "  0x%012" PRIx64 " type %" PRIu32 " %s, %" PRIu32 " bytes\n", next, type, names[type],
			size);
		if (type == SETUP_E820_EXT)
			print_e820(item + SETUP_DATA_HEADER, size / E820_ENTRY_SIZE, out);
		next = get_le64(item);
	}
}

/* --- the row ------------------------------------------------------------------------------------------------------ */

/* The image is mapped in the top 2 GiB. */
static bool is_kernel_image(const Elf64_Phdr *phdr, const Elf64_Phdr *table, size_t count)
{
	return phdr->p_vaddr >= 0xffffffff80000000;
}

/* Is @flag among the flags of the CPUs? Some are there only while the feature is in use. */
static struct kd_error *has_cpu_flag(const struct kd_sysroot *root, const char *flag, bool *ret)
{
	_cleanup_free_ char *cpuinfo = NULL;
	struct kd_error *err;
	size_t length = strlen(flag);
	const char *p;

	err = kd_sysroot_read(root, "/proc/cpuinfo", &cpuinfo, NULL);
	if (err)
		return err;
	for (p = cpuinfo; (p = strstr(p, flag)); p += length)
		if (p > cpuinfo && p[-1] == ' ' && (p[length] == ' ' || p[length] == '\n' || !p[length]))
			break;
	*ret = p != NULL;
	return NULL;
}

static struct kd_error *check(const struct kd_sysroot *root, const struct loader_image *image)
{
	const struct kernel_image *kernel = &image->kernel;
	struct kd_error *err;
	bool five_level;

	if (kernel->five_level)
		return NULL;
	err = has_cpu_flag(root, "la57", &five_level);
	if (!err && five_level)
		err = kd_error_create(KD_ERR_UNSUPPORTED,
				      "kernel %s (%s) cannot start from a kernel with 5-level paging; boot the running "
				      "kernel with no5lvl%s",
				      kernel->path, kernel->format,
				      kernel->vmlinux.memory ? ", or give the bzImage (vmlinuz) of this kernel" : "");
	return err;
}

static struct kd_error *is_encrypted_guest(const struct kd_sysroot *root, bool *ret)
{
	static const char *const flags[] = { "sev", "sev_es", "sev_snp" };
	struct kd_error *err;
	bool guest, has;

	err = has_cpu_flag(root, "tdx_guest", ret);
	if (!err)
		err = has_cpu_flag(root, "hypervisor", &guest);
	for (size_t i = 0; !err && guest && i < ARRAY_SIZE(flags); i++) {
		err = has_cpu_flag(root, flags[i], &has);
		*ret |= !err && has;
	}
	return err;
}

/* Can this CPU do 5-level paging, in use or not? */
static bool cpu_has_five_level(const struct kd_sysroot *root)
{
#ifdef __x86_64__
	unsigned int a, b, c, d;

	return kd_sysroot_is_live(root) && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & CPUID_LA57);
#else
	return false;
#endif
}

/* The kernel proper runs with as many levels as are in use when it starts. */
static const char *five_level_fault(const struct kd_sysroot *root, const struct loader_image *image, bool in_use)
{
	bool wanted = image->kernel.uses_five && !cmdline_has(image->cmdline, "no5lvl");

	if (in_use && !wanted)
		return "the running kernel uses 5-level paging, which the next one is not to use";
	if (!in_use && wanted && cpu_has_five_level(root))
		return "the next kernel is to use 5-level paging, which the running one does not use";
	return NULL;
}

/* In a guest with encrypted memory the decompressor sets up what its exceptions and its memory need. */
static struct kd_error *check_fast(const struct kd_sysroot *root, const struct loader_image *image)
{
	_cleanup_free_ char *running = NULL;
	bool encrypted, five_level;
	struct kd_error *err;
	const char *fault;

	err = is_encrypted_guest(root, &encrypted);
	if (!err)
		err = has_cpu_flag(root, "la57", &five_level);
	if (!err)
		err = kd_sysroot_read(root, "/proc/cmdline", &running, NULL);
	if (err)
		return err;
	fault = five_level_fault(root, image, five_level);
	if (encrypted || cmdline_has(running, "mem_encrypt"))
		fault = "the memory of this machine is encrypted";
	return fault ? kd_error_create(KD_ERR_UNSUPPORTED, "%s", fault) : NULL;
}

/* The port of the last console=ttySN; without one, the first port of a PC. */
static uint16_t serial_port(const char *cmdline)
{
	static const uint16_t ports[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
	const char *p = cmdline;
	uint16_t port = ports[0];

	for (; (p = strstr(p, "console=ttyS")); p++) {
		unsigned int n = p[12] - '0';

		if (n < ARRAY_SIZE(ports))
			port = ports[n];
	}
	return port;
}

static void find_ways_out(const struct kd_sysroot *root, const char *cmdline, struct purgatory_params *params)
{
	params->serial = serial_port(cmdline);
}

#ifdef __x86_64__
extern const uint8_t loader_purgatory[], loader_purgatory_end[];
#else
#define loader_purgatory     NULL
#define loader_purgatory_end NULL
#endif

const struct loader_arch loader_arch_x86_64 = {
	.name = "x86_64",
	.machine = EM_X86_64,
	.page = SEGMENT_PAGE,
	.highest = (uint64_t)64 << 40, /* MAXMEM with 4-level paging */
	.low_reserved = KD_MIB(1),
	.elfcorehdr_on_cmdline = true,
	.purgatory = loader_purgatory,
	.purgatory_end = loader_purgatory_end,
	.is_kernel_image = is_kernel_image,
	.check = check,
	.is_encrypted_guest = is_encrypted_guest,
	.check_fast = check_fast,
	.place_boot_info = place_boot_info,
	.find_ways_out = find_ways_out,
	.stops_devices = true,
	.place_identity_map = identity_map_place,
	.identity_mapped = IDENTITY_MAPPED,
	.print_boot_info = print_boot_info,
};
