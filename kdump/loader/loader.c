/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "kdump/loader/loader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kdump/loader/elfcorehdr.h"
#include "kdump/loader/kexec_call.h"
#include "kdump/loader/layout.h"
#include "kdump/loader/purgatory.h"

#define MIB(bytes) (((bytes) + (1 << 20) - 1) >> 20)

/* The kernel takes its control pages from the crash region: trampoline, vmcoreinfo copy, and page tables that map all
 * of RAM (a page per GiB without 1 GiB pages). */
#define CONTROL_PAGES (128 << 10)
#define CONTROL_PAGES_PER_GIB 4096

/* Room for boot info and purgatory in the estimate. */
#define SMALL_SEGMENTS (128 << 10)

/* ---- preparing ----------------------------------------------------------------------------------------------- */

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
	if (strlen(request->cmdline) > image->kernel.cmdline_max)
		return kd_error_create(KD_ERR_LIMIT, "the command line has %zu characters; kernel %s takes %zu",
				       strlen(request->cmdline), request->kernel, image->kernel.cmdline_max);
	err = image->arch->check(request->root, &image->kernel);
	if (err || !request->initrd)
		return err;
	return kd_error_wrap(image_read_file(files, request->initrd, &image->initrd, &image->initrd_size),
			     "cannot read initramfs");
}

/* "none [integrity] confidentiality": the word in brackets. securityfs need not be mounted. */
static struct kd_error *read_lockdown(const struct kd_sysroot *root, char **ret)
{
	_cleanup_(kd_error_destroy) struct kd_error *err = NULL;
	_cleanup_free_ char *line = NULL;
	char *start, *end;

	err = kd_sysroot_read_line(root, &line, "/sys/kernel/security/lockdown");
	start = err ? NULL : strchr(line, '[');
	end = start ? strchr(start, ']') : NULL;
	if (!end || end - start < 2)
		return NULL;
	*end = '\0';
	if (strcmp(start + 1, "none") == 0)
		return NULL;
	*ret = strdup(start + 1);
	return *ret ? NULL : kd_error_nomem();
}

static struct kd_error *choose_call(const struct loader_request *request, struct loader_image *image)
{
	_cleanup_free_ char *lockdown = NULL;
	struct kd_error *err;

	image->call = request->call;
	if (image->call != LOADER_CALL_AUTO)
		return NULL;
	err = read_lockdown(request->root, &lockdown);
	if (err)
		return err;
	if (lockdown) {
		kd_info(request->log,
			"using kexec_file_load: this machine is in lockdown (%s), which forbids kexec_load",
			lockdown);
		image->call = LOADER_CALL_FILE_LOAD;
	}
	return NULL;
}

/* Size that the kernel asks for if it is to keep the elfcorehdr up to date itself (Linux 6.6); 0: it does not. */
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

/* While the initramfs is unpacked, the kernel, the packed and the unpacked files are in memory at once: less than
 * that, and the capture kernel dies of it. What it really needs beyond depends on the machine. */
static struct kd_error *check_reservation(const struct loader_image *image, uint64_t elfcorehdr_size)
{
	uint64_t have = kd_ranges_total(&image->memory.crash) + kd_ranges_total(&image->memory.cma);
	uint64_t need = image->kernel.mem_size + 2 * segment_round(image->initrd_size) + elfcorehdr_size +
			control_pages(image) + SMALL_SEGMENTS;

	if (have >= need)
		return NULL;
	return kd_error_create(KD_ERR_LIMIT,
			       "the memory reserved for the crash kernel is too small: at least %" PRIu64
			       " MiB are needed (kernel %" PRIu64 ", initramfs %" PRIu64
			       " packed and as much unpacked), %" PRIu64
			       " MiB are reserved; boot with a larger crashkernel= or make the initramfs smaller",
			       MIB(need), MIB(image->kernel.mem_size), MIB((uint64_t)image->initrd_size), have >> 20);
}

/* RAM that the next kernel will have as RAM and that no firmware or driver keeps. */
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

/* Only whole pages can be loaded into. */
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

static struct kd_error *find_free(struct loader_image *image)
{
	const struct kd_range *main = &image->memory.crash_main;
	struct kd_ranges *free = &image->segments.free;
	bool ok;

	if (image->policy == LOADER_PANIC)
		ok = kd_ranges_add(free, main->start, main->end);
	else
		ok = find_free_ram(&image->memory, image->arch->low_reserved, free);
	return ok && kd_ranges_clip(free, 0, image->arch->highest) && keep_pages(free) ? NULL : kd_error_nomem();
}

/* The kernel goes to the bottom, everything else to the top, and the kernel's control pages between. */
static struct kd_error *place_kernel(struct loader_image *image)
{
	const struct kernel_image *kernel = &image->kernel;
	struct segment segment = {
		.name = "kernel", .buf = kernel->load, .bufsz = kernel->load_size, .memsz = kernel->mem_size
	};
	struct segment_place place = { kernel->align, kernel->lowest, UINT64_MAX, false };
	struct kd_error *err;

	err = segments_add(&image->segments, &segment, &place, &image->kernel_address);
	if (err || image->policy != LOADER_PANIC)
		return err;
	return segments_leave_hole(&image->segments, control_pages(image));
}

static struct kd_error *place_initrd(struct loader_image *image)
{
	struct segment segment = { .name = "initramfs", .buf = image->initrd, .bufsz = image->initrd_size };
	struct segment_place place = { SEGMENT_PAGE, 0, UINT64_MAX, true };

	return image->initrd ? segments_add(&image->segments, &segment, &place, &image->initrd_address) : NULL;
}

static struct kd_error *build_elfcorehdr(const struct kd_sysroot *root, struct loader_image *image,
					 uint64_t *memsz_ret)
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
		.changes = image->hotplug,
	};
	struct segment_place place = { SEGMENT_PAGE, 0, UINT64_MAX, true };

	return segments_add(&image->segments, &segment, &place, &image->elfcorehdr_address);
}

static struct kd_error *complete_cmdline(struct loader_image *image)
{
	int length;

	if (image->policy == LOADER_PANIC && image->arch->elfcorehdr_on_cmdline)
		length = asprintf(&image->boot_cmdline, "%s%selfcorehdr=0x%" PRIx64, image->cmdline,
				  image->cmdline[0] ? " " : "", image->elfcorehdr_address);
	else
		length = asprintf(&image->boot_cmdline, "%s", image->cmdline);
	if (length < 0) {
		image->boot_cmdline = NULL;
		return kd_error_nomem();
	}
	if ((size_t)length > image->kernel.cmdline_max)
		return kd_error_create(KD_ERR_LIMIT,
				       "the command line has %d characters with elfcorehdr=; kernel %s takes %zu",
				       length, image->kernel.path, image->kernel.cmdline_max);
	return NULL;
}

/* kexec_load(2) refuses more than half of RAM. */
static struct kd_error *check_total(const struct loader_image *image)
{
	uint64_t total = 0, ram = kd_ranges_total(&image->memory.ram);
	size_t i;

	for (i = 0; i < image->segments.count; i++)
		total += image->segments.segment[i].memsz;
	if (total <= ram / 2)
		return NULL;
	return kd_error_create(KD_ERR_LIMIT,
			       "kernel and initramfs take %" PRIu64 " MiB, more than half of %" PRIu64 " MiB of RAM",
			       MIB(total), ram >> 20);
}

static struct kd_error *lay_out(const struct loader_request *request, struct loader_image *image)
{
	uint64_t elfcorehdr_memsz = 0;
	struct kd_error *err;

	err = find_free(image);
	if (!err && image->policy == LOADER_PANIC) {
		err = build_elfcorehdr(request->root, image, &elfcorehdr_memsz);
		if (!err)
			err = check_reservation(image, elfcorehdr_memsz);
	}
	if (!err)
		err = place_kernel(image);
	if (!err)
		err = place_initrd(image);
	if (!err && image->policy == LOADER_PANIC)
		err = place_elfcorehdr(image, elfcorehdr_memsz);
	if (!err)
		err = complete_cmdline(image);
	if (!err)
		err = image->arch->place_boot_info(request->root, image);
	if (!err)
		err = purgatory_place(image, !request->no_checksum);
	return err ? err : check_total(image);
}

/* The purgatory's promise can only be tested by breaking what it checks. */
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
	image->log = request->log;
	image->cmdline = strdup(request->cmdline);
	if (!image->cmdline)
		return kd_error_nomem();
	err = memory_map_read(request->root, &image->memory);
	if (!err && image->policy == LOADER_PANIC && !image->memory.crash.count)
		err = kd_error_create(
			KD_ERR_STATE,
			"no memory is reserved for a crash kernel; boot with crashkernel=128M or similar");
	if (!err)
		err = read_kernel(request, image);
	if (!err)
		err = choose_call(request, image);
	if (!err)
		err = lay_out(request, image);
	if (!err)
		err = corrupt(image, request->corrupt_segment);
	if (err)
		return err;
	*ret = take_ptr(image);
	return NULL;
}

void loader_image_free(struct loader_image *image)
{
	if (!image)
		return;
	kernel_image_free(&image->kernel);
	memory_map_free(&image->memory);
	segments_free(&image->segments);
	free(image->initrd);
	free(image->elfcorehdr);
	free(image->boot_info);
	free(image->purgatory);
	free(image->cmdline);
	free(image->boot_cmdline);
	free(image);
}

/* ---- loading ------------------------------------------------------------------------------------------------- */

/* kexec_file_load(2) drops the armed panic kernel before it checks the signature of the new one. So let it check where
 * nothing is at stake first: in the place of the next reboot's kernel, if that is free. */
static struct kd_error *rehearse(const struct kexec_call *call, const struct kexec_files *files)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { 0 };
	struct kexec_call rehearsal = { .debug = call->debug };
	struct kexec_files kernel = *files;
	bool armed = false, taken = false;
	struct kd_error *err;

	if (!call->on_crash)
		return NULL;
	err = kd_sysroot_open(NULL, &root);
	if (!err)
		err = loader_loaded(&root, LOADER_PANIC, &armed);
	if (!err)
		err = loader_loaded(&root, LOADER_REBOOT, &taken);
	if (err || !armed || taken)
		return err;
	kernel.initrd = NULL; /* carries no signature */
	err = kexec_call_file_load(&rehearsal, &kernel);
	return err ? err : kexec_call_unload(false);
}

static struct kd_error *load_files(const struct loader_image *image, const struct kexec_call *call,
				   const char **how_ret)
{
	struct kexec_files files = {
		.kernel = image->kernel.file,
		.kernel_size = image->kernel.file_size,
		.initrd = image->initrd,
		.initrd_size = image->initrd_size,
		.cmdline = image->cmdline,
	};
	struct kd_error *err;

	err = rehearse(call, &files);
	if (!err)
		err = kexec_call_file_load(call, &files);
	if (!err && how_ret)
		*how_ret = "kexec_file_load";
	return err;
}

/* Forbidden or not there is a reason to let the kernel do it; a fault in what was prepared is not. */
static bool may_fall_back(const struct loader_image *image, const struct kd_error *err)
{
	return image->call == LOADER_CALL_AUTO &&
	       (err->errnum == EPERM || err->errnum == EACCES || err->errnum == ENOSYS);
}

struct kd_error *loader_load(const struct loader_image *image, const char **how_ret)
{
	struct kexec_call call = {
		.on_crash = image->policy == LOADER_PANIC,
		.hotplug = image->hotplug,
		.debug = image->log && image->log->level >= KD_LOG_DEBUG,
	};
	struct kd_error *err;

	if (image->call == LOADER_CALL_FILE_LOAD)
		return load_files(image, &call, how_ret);
	err = kexec_call_load(&call, &image->segments, image->entry);
	if (err && may_fall_back(image, err)) {
		kd_info(image->log, "using kexec_file_load: %s", err->text);
		kd_error_destroy(err);
		return load_files(image, &call, how_ret);
	}
	if (!err && how_ret)
		*how_ret = "kexec_load";
	return err;
}

struct kd_error *loader_unload(enum loader_policy policy)
{
	return kexec_call_unload(policy == LOADER_PANIC);
}

struct kd_error *loader_reboot(void)
{
	return kexec_call_reboot();
}

/* ---- identity ------------------------------------------------------------------------------------------------ */

static void hash_part(struct kd_sha256 *sha, const void *data, size_t size)
{
	uint64_t length = size;

	kd_sha256_update(sha, &length, sizeof(length));
	kd_sha256_update(sha, data, size);
}

void loader_image_hash(const struct loader_image *image, struct kd_sha256 *sha)
{
	size_t i;

	hash_part(sha, PACKAGE_VERSION, strlen(PACKAGE_VERSION)); /* stands for the purgatory */
	hash_part(sha, image->kernel.file, image->kernel.file_size);
	hash_part(sha, image->initrd, image->initrd_size);
	hash_part(sha, image->elfcorehdr, image->elfcorehdr_size);
	hash_part(sha, image->boot_cmdline, strlen(image->boot_cmdline));
	for (i = 0; i < image->segments.count; i++) {
		hash_part(sha, &image->segments.segment[i].mem, sizeof(uint64_t));
		hash_part(sha, &image->segments.segment[i].memsz, sizeof(uint64_t));
	}
}

/* ---- state --------------------------------------------------------------------------------------------------- */

/* Linux 7.0 has /sys/kernel/kexec/crash_size etc. and links with the older names, /sys/kernel/kexec_crash_size etc. */
static struct kd_error *read_state(const struct kd_sysroot *root, const char *name, uint64_t *ret)
{
	struct kd_error *err;

	err = kd_sysroot_read_u64(root, 10, ret, "/sys/kernel/kexec/%s", name);
	if (!err || err->errnum != ENOENT)
		return err;
	kd_error_destroy(err);
	return kd_sysroot_read_u64(root, 10, ret, "/sys/kernel/kexec_%s", name);
}

struct kd_error *loader_loaded(const struct kd_sysroot *root, enum loader_policy policy, bool *ret)
{
	struct kd_error *err;
	uint64_t value;

	err = read_state(root, policy == LOADER_PANIC ? "crash_loaded" : "loaded", &value);
	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return kd_error_create(KD_ERR_STATE,
				       "the running kernel has no kexec (CONFIG_KEXEC, CONFIG_CRASH_DUMP)");
	}
	if (err)
		return err;
	*ret = value != 0;
	return NULL;
}

struct kd_error *loader_crash_size(const struct kd_sysroot *root, uint64_t *ret)
{
	struct kd_error *err;

	err = read_state(root, "crash_size", ret);
	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return kd_error_create(KD_ERR_STATE,
				       "the running kernel has no kexec (CONFIG_KEXEC, CONFIG_CRASH_DUMP)");
	}
	return err;
}

/* ---- printing ------------------------------------------------------------------------------------------------ */

static void print_segments(const struct loader_image *image, FILE *out)
{
	size_t i;

	fprintf(out, "segments:\n");
	for (i = 0; i < image->segments.count; i++) {
		const struct segment *s = &image->segments.segment[i];

		fprintf(out, "  %zu %-10s 0x%012" PRIx64 "-0x%012" PRIx64 " memsz 0x%08" PRIx64 " bufsz 0x%08zx%s\n",
			i + 1, s->name, s->mem, s->mem + s->memsz, s->memsz, s->bufsz, s->changes ? "" : " checked");
	}
	fprintf(out, "entry 0x%" PRIx64 ", kernel entry 0x%" PRIx64 "\n", image->entry,
		image->kernel_address + image->kernel.entry);
}

static void print_elfcorehdr(const struct loader_image *image, FILE *out)
{
	const char *data = image->elfcorehdr;
	Elf64_Ehdr ehdr;
	size_t i;

	memcpy(&ehdr, data, sizeof(ehdr));
	fprintf(out, "elfcorehdr (%u program headers%s):\n", ehdr.e_phnum,
		image->hotplug ? ", kept up to date by the kernel" : "");
	for (i = 0; i < ehdr.e_phnum; i++) {
		Elf64_Phdr phdr;

		memcpy(&phdr, data + ehdr.e_phoff + i * sizeof(phdr), sizeof(phdr));
		fprintf(out, "  %-4s paddr 0x%012" PRIx64 " vaddr 0x%016" PRIx64 " size 0x%" PRIx64 "\n",
			phdr.p_type == PT_NOTE ? "NOTE" : "LOAD", phdr.p_paddr, phdr.p_vaddr, phdr.p_memsz);
	}
}

void loader_print(const struct loader_image *image, FILE *out)
{
	fprintf(out, "%s kernel %s: %s, %" PRIu64 " MiB in memory\n",
		image->policy == LOADER_PANIC ? "panic" : "reboot", image->kernel.path, image->kernel.format,
		MIB(image->kernel.mem_size));
	print_segments(image, out);
	if (image->elfcorehdr)
		print_elfcorehdr(image, out);
	image->arch->print_boot_info(image, out);
	fprintf(out, "command line: %s\n", image->boot_cmdline);
}
