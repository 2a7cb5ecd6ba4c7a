/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aarch64: a kernel gets all it must know from a device tree (Linux Documentation/arm64/booting.rst). On machines with
 * ACPI that is the small one of the EFI stub, which names the firmware's tables. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/parse.h"
#include "kdump/loader/device_tree.h"
#include "kdump/loader/elfcorehdr.h"
#include "kdump/loader/layout.h"
#include "kdump/loader/le.h"
#include "kdump/loader/purgatory/purgatory.h"

#define RUNNING_TREE "/sys/firmware/fdt"
#define FADT         "/sys/firmware/acpi/tables/FACP"
#define TREE_MAX     KD_MIB(2) /* the kernel maps it by one entry of 2 MiB … */
#define SEED_SIZE    (8 + 128)
#define USABLE_MAX   2 /* … and reads two ranges of usable memory */

/* Fixed ACPI Description Table (ACPI 6.5, 5.2.9). */
enum { FADT_ARM_BOOT = 129, FADT_ARM_PSCI = 1 << 0, FADT_ARM_HVC = 1 << 1 };

/* --- the device tree ---------------------------------------------------------------------------------------------- */

/* A capture kernel's memory: the main reservation, where everything lies, then the low one, for devices that reach no
 * further than 4 GiB. Kernels that know of one range only take the first. */
static size_t usable_memory(const struct loader_image *image, struct kd_range *ret)
{
	const struct kd_range *main = &image->memory.crash_main;
	size_t count = 0;

	ret[count++] = *main;
	for (size_t i = 0; i < image->memory.crash.count && count < USABLE_MAX; i++)
		if (image->memory.crash.range[i].start != main->start)
			ret[count++] = image->memory.crash.range[i];
	return count;
}

static struct kd_range segment_range(const struct loader_image *image, const char *name, bool whole)
{
	const struct segment *segment = segments_find(&image->segments, name);

	if (!segment)
		return (struct kd_range){ 0 };
	return (struct kd_range){ segment->mem, segment->mem + (whole ? segment->memsz : segment->bufsz) };
}

static struct kd_error *make_tree(const struct kd_sysroot *root, struct loader_image *image)
{
	struct kd_range usable[USABLE_MAX];
	struct device_tree_boot boot = {
		.cmdline = image->boot_cmdline,
		.initrd = segment_range(image, "initramfs", false),
		.elfcorehdr = segment_range(image, "elfcorehdr", true),
		.usable = usable,
	};
	const char *name = image->dtb_path ? image->dtb_path : RUNNING_TREE;
	_cleanup_free_ char *running = NULL;
	uint8_t seed[SEED_SIZE];
	struct kd_error *err;
	size_t size;

	if (image->policy == LOADER_PANIC)
		boot.usable_count = usable_memory(image, usable);
	if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) == sizeof(seed)) {
		boot.seed = seed;
		boot.seed_size = sizeof(seed);
	}
	if (image->dtb)
		return device_tree_make(name, image->dtb, image->dtb_size, &boot, &image->boot_info,
					&image->boot_info_size);
	err = kd_sysroot_read(root, RUNNING_TREE, &running, &size);
	if (err)
		return kd_error_wrap(err, "the running kernel does not show its device tree");
	return device_tree_make(name, running, size, &boot, &image->boot_info, &image->boot_info_size);
}

static struct kd_error *place_boot_info(const struct kd_sysroot *root, struct loader_image *image)
{
	struct segment segment = { .name = "boot info" };
	struct segment_place place = { .align = SEGMENT_PAGE, .high = UINT64_MAX, .top_down = true };
	struct kd_error *err;

	err = make_tree(root, image);
	if (err)
		return err;
	if (image->boot_info_size > TREE_MAX)
		return kd_error_create(KD_ERR_LIMIT, "the device tree has %zu bytes; a kernel takes %zu",
				       image->boot_info_size, (size_t)TREE_MAX);
	/* It must not cross a multiple of 2 MiB. */
	while (place.align < image->boot_info_size)
		place.align *= 2;
	segment.buf = image->boot_info;
	segment.bufsz = image->boot_info_size;
	return segments_add(&image->segments, &segment, &place, &image->boot_info_address);
}

static void print_boot_info(const struct loader_image *image, FILE *out)
{
	device_tree_print(image->boot_info, out);
}

/* --- for the purgatory -------------------------------------------------------------------------------------------- */

/* The address of the last console=ttyAMAN (a PL011); without one, of the first; 0 if the machine has none. */
static uint64_t serial_address(const struct kd_sysroot *root, const char *cmdline)
{
	static const char console[] = "console=ttyAMA";
	const char *p = cmdline;
	unsigned int number = 0;
	uint64_t address = 0;

	for (; (p = strstr(p, console)); p++)
		if (p[strlen(console)] >= '0' && p[strlen(console)] <= '9')
			number = p[strlen(console)] - '0';
	kd_error_destroy(kd_sysroot_read_u64(root, 0, &address, "/sys/class/tty/ttyAMA%u/iomem_base", number));
	return address;
}

static enum purgatory_reset reset_method(const struct kd_sysroot *root)
{
	_cleanup_free_ char *tree = NULL, *fadt = NULL;
	const char *method = NULL;
	size_t size = 0;
	uint16_t flags;

	kd_error_destroy(kd_sysroot_read(root, RUNNING_TREE, &tree, &size));
	if (tree)
		method = device_tree_psci_method(tree, size);
	if (method)
		return strcmp(method, "hvc") == 0 ? PURGATORY_RESET_HVC :
		       strcmp(method, "smc") == 0 ? PURGATORY_RESET_SMC :
						    PURGATORY_RESET_NONE;
	size = 0;
	kd_error_destroy(kd_sysroot_read(root, FADT, &fadt, &size));
	if (!fadt || size < FADT_ARM_BOOT + 2)
		return PURGATORY_RESET_NONE;
	flags = get_le16((const uint8_t *)fadt + FADT_ARM_BOOT);
	if (!(flags & FADT_ARM_PSCI))
		return PURGATORY_RESET_NONE;
	return flags & FADT_ARM_HVC ? PURGATORY_RESET_HVC : PURGATORY_RESET_SMC;
}

static void find_ways_out(const struct kd_sysroot *root, const char *cmdline, struct purgatory_params *params)
{
	params->serial = serial_address(root, cmdline);
	params->reset = reset_method(root);
}

/* --- the running kernel ------------------------------------------------------------------------------------------- */

#define LOWEST_OF_48_BITS 0xffff000000000000 /* of the kernel's addresses */

/* Pages of 4 KiB and addresses of 52 bits need five levels of page tables. What cannot be read counts as four. */
static bool has_five_levels(const struct kd_sysroot *root)
{
	_cleanup_free_ Elf64_Phdr *phdr = NULL;
	size_t count = 0, i;

	kd_error_destroy(elfcorehdr_read_kcore(root, &phdr, &count));
	for (i = 0; i < count; i++)
		if (phdr[i].p_type == PT_LOAD && phdr[i].p_vaddr < LOWEST_OF_48_BITS)
			break;
	return i < count && sysconf(_SC_PAGESIZE) == 4096;
}

/* With five levels a kernel before 6.14 (3648027de1fa "arm64: Fix 5-level paging support in kexec/hibernate
 * trampoline") dies while it loads a kernel for a reboot. It kills the program that asked, and leaves the lock held
 * without which a later panic does not start the panic kernel. Panic kernels are loaded in another way. */
static struct kd_error *check(const struct kd_sysroot *root, const struct loader_image *image)
{
	_cleanup_free_ char *release = NULL;
	struct kd_error *err;

	if (image->policy != LOADER_REBOOT || !has_five_levels(root))
		return NULL;
	err = kd_sysroot_read_line(root, &release, "/proc/sys/kernel/osrelease");
	if (err || strverscmp(release, "6.14") >= 0)
		return err;
	return kd_error_create(
		KD_ERR_UNSUPPORTED,
		"the running kernel (%s) would crash: before Linux 6.14 a kernel that uses addresses of 52 "
		"bits cannot load another one for a reboot; boot the running kernel with arm64.nolva",
		release);
}

/* --- the row ------------------------------------------------------------------------------------------------------ */

/* The image is mapped above the direct map, at an address that depends on the size of addresses. What it is known by is
 * that its memory is mapped twice. */
static bool is_kernel_image(const Elf64_Phdr *phdr, const Elf64_Phdr *table, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].p_type == PT_LOAD && table[i].p_paddr != UINT64_MAX && table[i].p_vaddr < phdr->p_vaddr &&
		    table[i].p_paddr <= phdr->p_paddr && phdr->p_paddr - table[i].p_paddr < table[i].p_memsz)
			return true;
	return false;
}

#ifdef __aarch64__
extern const uint8_t loader_purgatory[], loader_purgatory_end[];
#else
#define loader_purgatory     NULL
#define loader_purgatory_end NULL
#endif

const struct loader_arch loader_arch_aarch64 = {
	.name = "aarch64",
	.machine = EM_AARCH64,
	.page = 64 << 10, /* the largest that a kernel can be built with */
	.highest = (uint64_t)1 << 48,
	.window = KD_MIB(32 << 10),
	.purgatory = loader_purgatory,
	.purgatory_end = loader_purgatory_end,
	.is_kernel_image = is_kernel_image,
	.check = check,
	.place_boot_info = place_boot_info,
	.find_ways_out = find_ways_out,
	.print_boot_info = print_boot_info,
};
