/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "kdump/loader/loader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "kdump/loader/elfcorehdr.h"
#include "kdump/loader/fast.h"
#include "kdump/loader/layout.h"
#include "kdump/loader/purgatory_segment.h"

/* The running kernel takes its control pages from the crash region: the trampoline, a copy of vmcoreinfo, and page
 * tables that map all of RAM (a page per GiB on CPUs without 1 GiB pages). */
#define CONTROL_PAGES         (128 << 10)
#define CONTROL_PAGES_PER_GIB 4096

/* Room for boot info and purgatory in the estimate. */
#define SMALL_SEGMENTS (128 << 10)

#define DTB_MAX ((size_t)2 << 20) /* of a device tree */

/* A kernel to return to begins here or above. Its small segments are boot info with an EFI map, page tables and
 * purgatory. */
#define RETURN_LOWEST         KD_MIB(256)
#define RETURN_SMALL_SEGMENTS KD_MIB(2)

/* The text of the section has no NUL, and often a newline at its end. */
static struct kd_error *choose_cmdline(const struct loader_request *request, struct loader_image *image)
{
	const struct image_part *part = &image->kernel.cmdline;
	size_t length = part->size;

	if (request->cmdline || !part->data)
		return kd_set_text(&image->cmdline, request->cmdline ? request->cmdline : "");
	while (length && strchr("\n ", part->data[length - 1])) /* a NUL, too */
		length--;
	return kd_format(&image->cmdline, "%.*s", (int)length, (const char *)part->data);
}

/* kexec_load(2) takes no more. */
static uint64_t half_of_ram(const struct loader_image *image)
{
	return kd_ranges_total(&image->memory.ram) / 2;
}

static struct kd_error *read_dtb(const struct loader_request *request, struct loader_image *image)
{
	const struct kd_sysroot *files = request->files ? request->files : request->root;
	struct kd_error *err;

	if (!request->dtb)
		return NULL;
	err = kd_set_text(&image->dtb_path, request->dtb);
	if (!err)
		err = kd_sysroot_read_max(files, request->dtb, DTB_MAX, &image->dtb, &image->dtb_size);
	return err ? kd_error_wrap(err, "cannot read the device tree") : NULL;
}

static struct kd_error *can_return(const struct loader_arch *arch)
{
	if (arch->place_identity_map)
		return NULL;
	return kd_error_create(KD_ERR_UNSUPPORTED,
			       "a capture kernel on %s cannot return to a kernel: only PCI functions can be kept from "
			       "writing to memory, and other devices may go on",
			       arch->name);
}

struct kd_error *loader_can_return(void)
{
	const struct loader_arch *arch = loader_arch_find(loader_arch_native());

	return arch ? can_return(arch) : NULL;
}

static struct kd_error *read_kernel(const struct loader_request *request, struct loader_image *image)
{
	const struct kd_sysroot *files = request->files ? request->files : request->root;
	struct kd_error *err;

	err = kernel_image_read(files, request->kernel, &image->kernel);
	if (err)
		return err;
	image->arch = loader_arch_find(image->kernel.machine);
	if (!image->arch || (kd_sysroot_is_live(request->root) && loader_arch_native() != image->kernel.machine))
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "kernel %s is for another architecture (%s); give a kernel for this machine",
				       request->kernel, image->arch ? image->arch->name : image->kernel.format);
	err = image->policy == LOADER_RETURN ? can_return(image->arch) : NULL;
	if (err)
		return err;
	if (image->whole_machine && !image->arch->stops_devices)
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "a panic on %s cannot start a kernel that takes the whole machine over",
				       image->arch->name);
	err = choose_cmdline(request, image);
	if (err)
		return err;
	if (strlen(image->cmdline) > image->kernel.cmdline_max)
		return kd_error_create(KD_ERR_LIMIT, "the command line has %zu characters; kernel %s takes %zu",
				       strlen(image->cmdline), request->kernel, image->kernel.cmdline_max);
	err = image->arch->check(request->root, image);
	if (!err)
		err = read_dtb(request, image);
	if (err)
		return err;
	return initrd_read(request, &image->kernel, half_of_ram(image), &image->initrd);
}

static struct kd_error *choose_call(const struct loader_request *request, struct loader_image *image)
{
	_cleanup_free_ char *lockdown = NULL;
	struct kd_error *err;

	image->call = image->whole_machine ? LOADER_CALL_LOAD : request->call;
	if (request->call != LOADER_CALL_AUTO)
		return NULL;
	err = loader_lockdown(request->root, &lockdown);
	if (err)
		return err;
	if (lockdown && image->whole_machine)
		return kd_error_create(
			KD_ERR_STATE,
			"the machine is in lockdown (%s), which forbids kexec_load; kexec_file_load gives a "
			"panic kernel nothing but the reserved memory",
			lockdown);
	if (lockdown) {
		kd_info(request->log,
			"using kexec_file_load: the machine is in lockdown (%s), which forbids kexec_load", lockdown);
		image->call = LOADER_CALL_FILE_LOAD;
	}
	return NULL;
}

/* Size that the kernel asks for if it is to keep the elfcorehdr up to date itself (Linux 6.6, a72bbec70da2 "crash:
 * hotplug support for kexec_load()"); 0: it does not. */
static struct kd_error *hotplug_size(const struct kd_sysroot *root, uint64_t *ret)
{
	struct kd_error *err;

	*ret = 0;
	err = kd_sysroot_read_u64(root, 10, ret, "/sys/kernel/crash_elfcorehdr_size");
	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return NULL;
	}
	return err;
}

static uint64_t control_pages(const struct loader_image *image)
{
	return CONTROL_PAGES + CONTROL_PAGES_PER_GIB * (kd_ranges_total(&image->memory.ram) >> 30);
}

/* A kernel that gets the whole machine is only laid down in the reservation, from an address of its own alignment
 * on. */
static uint64_t whole_machine_need(const struct loader_image *image)
{
	return image->kernel.align + image->kernel.mem_size + segment_round(image->initrd.size) + control_pages(image) +
	       SMALL_SEGMENTS;
}

static struct kd_error *check_whole_machine_room(const struct loader_image *image)
{
	uint64_t have = image->memory.crash_main.end - image->memory.crash_main.start;
	uint64_t need = whole_machine_need(image);

	if (have >= need)
		return NULL;
	return kd_error_create(KD_ERR_LIMIT,
			       "the memory reserved for the crash kernel is too small: kernel (%" PRIu64
			       " MiB) and initramfs (%" PRIu64 " MiB) need %" PRIu64 " MiB, %" PRIu64
			       " MiB are reserved; boot with a larger crashkernel=",
			       kd_mib_up(image->kernel.mem_size), kd_mib_up((uint64_t)image->initrd.size),
			       kd_mib_up(need), have >> 20);
}

/* While the capture kernel unpacks the initramfs, its memory holds itself, the packed files and the unpacked ones. With
 * less it dies. The memory that it needs beyond that depends on the machine. */
static struct kd_error *check_room(const struct loader_image *image, uint64_t elfcorehdr_size)
{
	uint64_t have = kd_ranges_total(&image->memory.crash) + kd_ranges_total(&image->memory.cma);
	uint64_t need = image->kernel.mem_size + 2 * segment_round(image->initrd.size) + elfcorehdr_size +
			control_pages(image) + SMALL_SEGMENTS;

	if (image->whole_machine)
		return check_whole_machine_room(image);
	if (have >= need)
		return NULL;
	return kd_error_create(KD_ERR_LIMIT,
			       "the memory reserved for the crash kernel is too small: at least %" PRIu64
			       " MiB are needed (kernel %" PRIu64 ", initramfs %" PRIu64
			       " packed and as much unpacked), %" PRIu64
			       " MiB are reserved; boot with a larger crashkernel= or make the initramfs smaller",
			       kd_mib_up(need), kd_mib_up(image->kernel.mem_size),
			       kd_mib_up((uint64_t)image->initrd.size), have >> 20);
}

/* RAM that is RAM for the next kernel too, and that no firmware or driver keeps. */
static bool find_free_ram(const struct memory_map *memory, uint64_t low, struct kd_ranges *ret)
{
	_cleanup_(kd_ranges_free) struct kd_ranges firmware = { 0 }, special = { 0 };
	enum memory_type type;

	if (memory->firmware.count) {
		if (!memory_list_ranges(&memory->firmware, MEMORY_RAM, &firmware) ||
		    !kd_ranges_intersect(&memory->ram, &firmware, ret))
			return false;
	} else if (!kd_ranges_copy(&memory->ram, ret)) {
		return false;
	}
	for (type = MEMORY_RAM + 1; type < MEMORY_TYPES; type++)
		if (!memory_list_ranges(&memory->iomem, type, &special))
			return false;
	return kd_ranges_subtract_all(ret, &special) && kd_ranges_subtract_all(ret, &memory->crash) &&
	       kd_ranges_clip(ret, low, UINT64_MAX);
}

/* Segments consist of whole pages. */
static bool keep_pages(struct kd_ranges *ranges)
{
	_cleanup_(kd_ranges_free) struct kd_ranges whole = { 0 };
	size_t i;

	for (i = 0; i < ranges->count; i++)
		if (!kd_ranges_add(&whole, segment_round(ranges->range[i].start),
				   ranges->range[i].end & ~(uint64_t)(SEGMENT_PAGE - 1)))
			return false;
	kd_ranges_free(ranges);
	*ranges = whole;
	whole = (struct kd_ranges){ 0 };
	return true;
}

/* A kernel to return to lies at a low address that is the same in each cycle, and whole in one piece of memory. In the
 * former reservation, or at the top of low memory, it would take the place of the next one: the reservation of each
 * boot would lie lower than that of the boot before. */
static struct kd_error *find_window(struct loader_image *image)
{
	const struct kernel_image *kernel = &image->kernel;
	uint64_t size = segment_round(kernel->mem_size) + segment_round(image->initrd.size) + RETURN_SMALL_SEGMENTS, at;
	struct kd_ranges *free = &image->segments.free;

	if (!kd_ranges_find(free, size, kernel->align, RETURN_LOWEST, image->arch->identity_mapped, false, &at))
		return kd_error_create(KD_ERR_LIMIT,
				       "no room for a kernel to return to: %" PRIu64
				       " MiB in one piece are needed, between 256 MiB and %" PRIu64 " MiB",
				       kd_mib_up(size), image->arch->identity_mapped >> 20);
	return kd_ranges_clip(free, at, at + size) ? NULL : kd_error_nomem();
}

static struct kd_error *find_free(const struct loader_request *request, struct loader_image *image)
{
	const struct kd_range *main = &image->memory.crash_main;
	struct kd_ranges *free = &image->segments.free;
	bool ok;

	image->segments.page = image->arch->page;
	if (image->policy == LOADER_PANIC)
		ok = kd_ranges_add(free, main->start, main->end);
	else
		ok = find_free_ram(&image->memory, image->arch->low_reserved, free);
	ok = ok && kd_ranges_clip(free, request->mem_min, request->mem_max ? request->mem_max : UINT64_MAX);
	if (!ok || !kd_ranges_clip(free, 0, image->arch->highest) || !keep_pages(free))
		return kd_error_nomem();
	return image->policy == LOADER_RETURN ? find_window(image) : NULL;
}

/* Some kernels map what is not too far away only. */
static struct kd_error *keep_near(struct loader_image *image)
{
	uint64_t start = image->kernel_address & ~(KD_MIB(1 << 10) - 1);

	if (!image->arch->window || kd_ranges_clip(&image->segments.free, start, start + image->arch->window))
		return NULL;
	return kd_error_nomem();
}

/* The kernel goes to the bottom, everything else to the top, and the running kernel's control pages between them. */
static struct kd_error *place_kernel(struct loader_image *image)
{
	const struct kernel_image *kernel = &image->kernel;
	struct segment segment = {
		.name = "kernel",
		.buf = (void *)kernel->load,
		.bufsz = kernel->load_size,
		.memsz = kernel->mem_size,
		.offset = kernel->offset,
	};
	struct segment_place place = { kernel->align, kernel->lowest, UINT64_MAX, false };
	struct kd_error *err;

	if (image->fast)
		return fast_place(image);
	err = segments_add(&image->segments, &segment, &place, &image->kernel_address);
	if (!err)
		err = keep_near(image);
	if (err || image->policy != LOADER_PANIC)
		return err;
	return segments_leave_hole(&image->segments, control_pages(image));
}

static struct kd_error *place_initrd(struct loader_image *image)
{
	struct segment segment = {
		.name = "initramfs", .buf = image->initrd.data, .bufsz = image->initrd.size, .unchecked = image->fast
	};
	struct segment_place place = { SEGMENT_PAGE, 0, UINT64_MAX, true };

	return image->initrd.data ? segments_add(&image->segments, &segment, &place, &image->initrd_address) : NULL;
}

static struct kd_error *build_elfcorehdr(const struct kd_sysroot *root, struct loader_image *image, uint64_t *memsz_ret)
{
	struct kd_error *err;
	uint64_t wanted;

	err = hotplug_size(root, &wanted);
	if (!err)
		err = elfcorehdr_build(root, image->arch, &image->memory, image->log, &image->elfcorehdr,
				       &image->elfcorehdr_size);
	if (err)
		return err;
	image->hotplug = wanted != 0;
	*memsz_ret = segment_round(wanted > image->elfcorehdr_size ? wanted : image->elfcorehdr_size);
	return NULL;
}

static struct kd_error *place_elfcorehdr(struct loader_image *image, uint64_t memsz)
{
	struct segment segment = {
		.name = "elfcorehdr",
		.buf = image->elfcorehdr,
		.bufsz = image->elfcorehdr_size,
		.memsz = memsz,
		.unchecked = image->hotplug,
	};
	struct segment_place place = { SEGMENT_PAGE, 0, UINT64_MAX, true };

	return segments_add(&image->segments, &segment, &place, &image->elfcorehdr_address);
}

static struct kd_error *complete_cmdline(struct loader_image *image)
{
	struct kd_error *err;
	size_t length;

	if (loader_is_capture(image) && image->arch->elfcorehdr_on_cmdline)
		err = kd_format(&image->boot_cmdline, "%s%selfcorehdr=0x%" PRIx64, image->cmdline,
				image->cmdline[0] ? " " : "", image->elfcorehdr_address);
	else
		err = kd_set_text(&image->boot_cmdline, image->cmdline);
	if (err)
		return err;
	length = strlen(image->boot_cmdline);
	if (length > image->kernel.cmdline_max)
		return kd_error_create(KD_ERR_LIMIT,
				       "the command line has %zu characters with elfcorehdr=; kernel %s takes %zu",
				       length, image->kernel.path, image->kernel.cmdline_max);
	return NULL;
}

uint64_t loader_image_memory(const struct loader_image *image)
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < image->segments.count; i++)
		total += image->segments.segment[i].memsz;
	return total;
}

/* kexec_load(2) refuses segments that take more than half of RAM. */
static struct kd_error *check_total(const struct loader_image *image)
{
	uint64_t total = loader_image_memory(image);

	if (total <= half_of_ram(image))
		return NULL;
	return kd_error_create(KD_ERR_LIMIT,
			       "kernel and initramfs take %" PRIu64 " MiB, more than half of %" PRIu64 " MiB of RAM",
			       kd_mib_up(total), kd_ranges_total(&image->memory.ram) >> 20);
}

static struct kd_error *lay_out(const struct loader_request *request, struct loader_image *image)
{
	uint64_t elfcorehdr_memsz = 0;
	struct kd_error *err;

	err = find_free(request, image);
	if (!err && loader_is_capture(image))
		err = build_elfcorehdr(request->root, image, &elfcorehdr_memsz);
	if (!err && image->policy == LOADER_PANIC)
		err = check_room(image, elfcorehdr_memsz);
	/* A kernel at a random place may cut the largest piece of memory in two. */
	if (!err && image->fast)
		err = place_initrd(image);
	if (!err)
		err = place_kernel(image);
	if (!err && !image->fast)
		err = place_initrd(image);
	if (!err && loader_is_capture(image))
		err = place_elfcorehdr(image, elfcorehdr_memsz);
	if (!err)
		err = complete_cmdline(image);
	if (!err && image->policy == LOADER_RETURN)
		err = image->arch->place_identity_map(image);
	if (!err)
		err = image->arch->place_boot_info(request->root, image);
	if (!err)
		err = purgatory_place(request->root, image, !request->no_checksum);
	/* What a capture kernel can load is judged by its own memory. */
	return err || image->policy == LOADER_RETURN ? err : check_total(image);
}

/* For tests of the purgatory: a segment that it must find damaged. */
static struct kd_error *corrupt(const struct loader_image *image, unsigned int number)
{
	const struct segment *segment;

	if (number == 0)
		return NULL;
	if (number > image->segments.count)
		return kd_error_create(KD_ERR_USAGE, "there is no segment %u to corrupt; there are %zu", number,
				       image->segments.count);
	segment = &image->segments.segment[number - 1];
	((uint8_t *)segment->buf)[segment->bufsz / 2] ^= 1;
	return NULL;
}

struct kd_error *loader_prepare(const struct loader_request *request, struct loader_image **ret)
{
	_cleanup_(loader_image_free) struct loader_image *image = calloc(1, sizeof(*image));
	struct kd_error *err;

	if (!image)
		return kd_error_nomem();
	image->policy = request->policy;
	image->whole_machine = request->whole_machine;
	image->log = request->log;
	err = memory_map_read(request->root, &image->memory);
	if (!err && image->policy == LOADER_PANIC && !image->memory.crash.count)
		err = kd_error_create(
			KD_ERR_STATE,
			"no memory is reserved for a crash kernel; boot with crashkernel=128M or similar");
	if (!err)
		err = read_kernel(request, image);
	if (!err)
		err = choose_call(request, image);
	if (!err && request->fast)
		err = fast_choose(request, image);
	if (!err)
		err = lay_out(request, image);
	if (!err)
		err = corrupt(image, request->corrupt_segment);
	if (err)
		return err;
	*ret = take_ptr(image);
	return NULL;
}

struct kd_error *loader_whole_machine_need(const struct loader_request *request, uint64_t *ret)
{
	_cleanup_(loader_image_free) struct loader_image *image = calloc(1, sizeof(*image));
	struct kd_error *err;

	if (!image)
		return kd_error_nomem();
	image->whole_machine = true;
	err = memory_map_read(request->root, &image->memory);
	if (!err)
		err = read_kernel(request, image);
	if (err)
		return err;
	*ret = whole_machine_need(image);
	return NULL;
}

void loader_image_free(struct loader_image *image)
{
	if (!image)
		return;
	kernel_image_free(&image->kernel);
	memory_map_free(&image->memory);
	segments_free(&image->segments);
	initrd_free(&image->initrd);
	free(image->elfcorehdr);
	free(image->boot_info);
	free(image->purgatory);
	free(image->page_tables);
	free(image->dtb);
	free(image->dtb_path);
	free(image->cmdline);
	free(image->boot_cmdline);
	free(image->not_fast);
	free(image);
}

const char *loader_image_not_fast(const struct loader_image *image)
{
	return image->not_fast;
}

static void hash_part(struct kd_sha256 *sha, const void *data, size_t size)
{
	uint64_t length = size;

	kd_sha256_update(sha, &length, sizeof(length));
	kd_sha256_update(sha, data, size);
}

void loader_image_hash(const struct loader_image *image, struct kd_sha256 *sha)
{
	size_t i;

	hash_part(sha, PACKAGE_VERSION, strlen(PACKAGE_VERSION)); /* each version has its own purgatory */
	hash_part(sha, image->kernel.file, image->kernel.file_size);
	hash_part(sha, image->initrd.data, image->initrd.size);
	hash_part(sha, image->elfcorehdr, image->elfcorehdr_size);
	hash_part(sha, image->boot_cmdline, strlen(image->boot_cmdline));
	for (i = 0; i < image->segments.count; i++) {
		hash_part(sha, &image->segments.segment[i].mem, sizeof(uint64_t));
		hash_part(sha, &image->segments.segment[i].memsz, sizeof(uint64_t));
	}
}
