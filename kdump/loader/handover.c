/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel to which a capture kernel returns: its layout as a record, for somebody who only copies bytes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "base/text.h"
#include "kdump/loader/layout.h"

_Static_assert((int)KD_HANDOVER_SEGMENTS == SEGMENT_MAX && KD_HANDOVER_PAGE == SEGMENT_PAGE, "one segment, one line");

/* Room for boot info, page tables and purgatory. */
#define SMALL_PARTS (128 << 10)

uint64_t loader_return_need(uint64_t init_size, uint64_t kernel_size, uint64_t initrd_size)
{
	/* kexec_load(2) takes half of the RAM at most (Linux kernel/kexec_core.c, sanity_check_segment_list()), and the
	 * kernel's own init_size is no RAM that it counts. */
	return init_size + 2 * (segment_round(kernel_size) + segment_round(initrd_size) + SMALL_PARTS);
}

void loader_parts_free(struct loader_parts *parts)
{
	for (size_t i = 0; i < KD_HANDOVER_SEGMENTS; i++)
		free(parts->part[i].data);
	*parts = (struct loader_parts){ 0 };
}

/* --- may it be? --------------------------------------------------------------------------------------------------- */

static struct kd_error *check_machine(const struct loader_request *request)
{
	_cleanup_free_ char *lockdown = NULL;
	struct kd_error *err = loader_lockdown(request->root, &lockdown);

	if (err)
		return err;
	if (lockdown)
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"this machine is in lockdown (%s), in which a capture kernel cannot load another "
			"kernel for the whole memory",
			lockdown);
	if (!request->initrd)
		return kd_error_create(KD_ERR_UNSUPPORTED, "kernel %s has no initramfs", request->kernel);
	return NULL;
}

/* Page tables, and what a kexec copies, would have to say that the memory is encrypted. */
static struct kd_error *check_guest(const struct kd_sysroot *root, const struct loader_arch *arch)
{
	bool encrypted = false;
	struct kd_error *err = arch->is_encrypted_guest ? arch->is_encrypted_guest(root, &encrypted) : NULL;

	if (!err && encrypted)
		err = kd_error_create(KD_ERR_UNSUPPORTED, "the memory of this virtual machine is encrypted");
	return err;
}

static struct kd_error *check_reservation(const struct loader_image *image)
{
	uint64_t reserved = kd_ranges_total(&image->memory.crash);
	uint64_t need = loader_return_need(image->kernel.mem_size, image->kernel.load_size, image->initrd.size);

	if (need <= reserved)
		return NULL;
	return kd_error_create(KD_ERR_LIMIT,
			       "to load a kernel of %" PRIu64 " MiB with an initramfs of %" PRIu64
			       " MiB, a capture kernel needs crashkernel=%" PRIu64 "M, and %" PRIu64
			       " MiB are reserved",
			       kd_mib_up(image->kernel.load_size), kd_mib_up(image->initrd.size), kd_mib_up(need),
			       reserved >> 20);
}

/* --- the record --------------------------------------------------------------------------------------------------- */

/* The capture kernel has no code that unpacks kernels: what is loaded has to lie in the file as it is. */
static struct kd_error *find_in_file(const struct kernel_image *kernel, uint64_t *offset)
{
	const uint8_t *found = kernel->expanded ?
				       NULL :
				       memmem(kernel->file, kernel->file_size, kernel->load, kernel->load_size);

	if (!found)
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "kernel %s is packed in a way that a capture kernel does not undo",
				       kernel->path);
	*offset = (uint64_t)(found - kernel->container);
	return NULL;
}

static void hash(const void *data, size_t size, uint8_t digest[static KD_SHA256_SIZE])
{
	struct kd_sha256 ctx;

	kd_sha256_init(&ctx);
	kd_sha256_update(&ctx, data, size);
	kd_sha256_final(&ctx, digest);
}

/* A name of one word. */
static void set_name(struct kd_handover_segment *segment, const char *name)
{
	snprintf(segment->name, sizeof(segment->name), "%s", name);
	for (char *p = segment->name; (p = strchr(p, ' '));)
		*p = '-';
}

/* Bytes that no file has go into the image. */
static struct kd_error *set_part(const struct segment *from, struct kd_handover_segment *segment,
				 struct loader_part *part)
{
	segment->in_image = true;
	part->size = from->bufsz;
	part->data = malloc(from->bufsz);
	if (!part->data)
		return kd_error_nomem();
	memcpy(part->data, from->buf, from->bufsz);
	return kd_format(&segment->file, KD_HANDOVER_DIR "/%s", segment->name);
}

static struct kd_error *describe(const struct loader_image *image, const char *kernel, uint64_t offset,
				 const char *initrd, struct kd_handover *handover, struct loader_parts *parts)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < image->segments.count && !err; i++) {
		const struct segment *from = &image->segments.segment[i];
		struct kd_handover_segment *segment = &handover->segment[i];

		set_name(segment, from->name);
		segment->size = from->bufsz;
		segment->address = from->mem;
		segment->memory = segment_round(from->bufsz);
		hash(from->buf, from->bufsz, segment->digest);
		handover->segments++;
		if ((const uint8_t *)from->buf == image->kernel.load) {
			segment->offset = offset;
			err = kd_set_text(&segment->file, kernel);
		} else if (from->buf == image->initrd.data) {
			err = kd_set_text(&segment->file, initrd);
		} else {
			err = set_part(from, segment, &parts->part[i]);
		}
		if (from->buf == image->boot_info) {
			handover->seed = image->seed;
			handover->seeded = i;
		}
	}
	handover->entry = image->entry;
	return err;
}

struct kd_error *loader_handover(const struct loader_request *request, const char *kernel, const char *initrd,
				 struct kd_handover *ret, struct loader_parts *parts_ret)
{
	_cleanup_(loader_image_free) struct loader_image *image = NULL;
	_cleanup_(kd_handover_free) struct kd_handover handover = { 0 };
	_cleanup_(loader_parts_free) struct loader_parts parts = { 0 };
	struct kd_error *err;
	uint64_t offset = 0;

	err = check_machine(request);
	if (!err)
		err = loader_prepare(request, &image);
	if (!err)
		err = check_guest(request->root, image->arch);
	if (!err)
		err = find_in_file(&image->kernel, &offset);
	if (!err)
		err = check_reservation(image);
	if (!err)
		err = describe(image, kernel, offset, initrd, &handover, &parts);
	if (err)
		return err;
	*ret = handover;
	handover = (struct kd_handover){ 0 };
	*parts_ret = parts;
	parts = (struct loader_parts){ 0 };
	return NULL;
}
