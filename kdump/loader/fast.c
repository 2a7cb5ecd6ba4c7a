/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/loader/fast.h"

#include <errno.h>
#include <sys/random.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "kdump/loader/cmdline.h"

/* Parameters that take memory away from the kernel: it must not lie there. The decompressor knows where; here the
 * kernel goes to the lowest place then, which they leave. */
static const char *const memory_limits[] = { "mem", "memmap", "hugepages", "hugepagesz", "efi_fake_mem" };

static struct kd_error *refuse(struct loader_image *image, const char *reason)
{
	kd_info(image->log, "the kernel will be decompressed after the jump: %s", reason);
	return kd_set_text(&image->not_fast, reason);
}

struct kd_error *fast_choose(const struct loader_request *request, struct loader_image *image)
{
	struct kd_error *err;

	if (image->policy != LOADER_REBOOT)
		return refuse(image, "a panic kernel is loaded");
	if (image->call == LOADER_CALL_FILE_LOAD)
		return refuse(image, "kexec_file_load takes a bzImage only");
	if (!image->arch->check_fast)
		return refuse(image, "this program cannot place kernels of this architecture");
	if (!image->kernel.vmlinux.memory) {
		err = image->arch->check_fast(request->root, image);
		if (!err)
			err = kernel_image_unpack(&image->kernel);
		if (err && err->code != KD_ERR_NOMEM) {
			_cleanup_(kd_error_destroy) struct kd_error *reason = take_ptr(err);

			return refuse(image, reason->text);
		}
		if (err)
			return err;
	}
	image->fast = true;
	return NULL;
}

/* A random number below @limit. */
static struct kd_error *choose(uint64_t limit, uint64_t *ret)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return kd_error_os(errno, "cannot get a random number");
	*ret = number % limit;
	return NULL;
}

/* How many addresses are there in @range for the kernel? *first := the lowest. */
static uint64_t count_slots(const struct kd_range *range, uint64_t size, uint64_t align, uint64_t lowest,
			    uint64_t *first)
{
	uint64_t start = range->start > lowest ? range->start : lowest;

	*first = (start + align - 1) & ~(align - 1);
	return *first < range->end && range->end - *first >= size ? (range->end - *first - size) / align + 1 : 0;
}

/* One of all physical addresses, each as likely as the others. There is at least one; if not, segments_add() finds that
 * out. */
static struct kd_error *choose_physical(const struct loader_image *image, struct segment_place *place)
{
	const struct kd_ranges *free = &image->segments.free;
	uint64_t size = segment_round(image->kernel.mem_size), slots = 0, first, number = 0;
	struct kd_error *err;

	for (size_t i = 0; i < free->count; i++)
		slots += count_slots(&free->range[i], size, place->align, place->low, &first);
	if (!slots)
		return NULL;
	err = choose(slots, &number);
	for (size_t i = 0; !err && i < free->count; i++) {
		slots = count_slots(&free->range[i], size, place->align, place->low, &first);
		if (number < slots) {
			place->low = first + number * place->align;
			place->high = place->low + size;
			break;
		}
		number -= slots;
	}
	return err;
}

static struct kd_error *move(struct loader_image *image)
{
	struct vmlinux *vmlinux = &image->kernel.vmlinux;
	struct kd_error *err;
	uint64_t number = 0;

	if (vmlinux->link + vmlinux->mem_size > VMLINUX_MAP_SIZE)
		return kd_error_create(KD_ERR_LIMIT, "kernel %s is too large for its map", image->kernel.path);
	err = choose((VMLINUX_MAP_SIZE - vmlinux->link - vmlinux->mem_size) / image->kernel.align + 1, &number);
	if (!err)
		vmlinux_move(vmlinux, number * image->kernel.align);
	return err;
}

static bool limits_memory(const char *cmdline)
{
	for (size_t i = 0; i < ARRAY_SIZE(memory_limits); i++)
		if (cmdline_has(cmdline, memory_limits[i]))
			return true;
	return false;
}

struct kd_error *fast_place(struct loader_image *image)
{
	const struct kernel_image *kernel = &image->kernel;
	struct segment segment = { .name = "kernel",
				   .buf = (void *)kernel->load,
				   .bufsz = kernel->load_size,
				   .reserve = kernel->mem_size,
				   .unchecked = true };
	struct segment_place place = { kernel->align, kernel->lowest, UINT64_MAX, false };
	struct kd_error *err = NULL;

	image->random = kernel->vmlinux.movable && !cmdline_has(image->cmdline, "nokaslr");
	if (image->random)
		err = move(image);
	if (!err && image->random && !limits_memory(image->cmdline))
		err = choose_physical(image, &place);
	if (!err)
		err = segments_add(&image->segments, &segment, &place, &image->kernel_address);
	if (!err && !image->random)
		kd_info(image->log, "the kernel will run at the address that it is linked for (no KASLR): %s",
			kernel->vmlinux.movable ? "nokaslr" : "it has no relocations");
	return err;
}
