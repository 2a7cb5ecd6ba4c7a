/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/loader/purgatory_segment.h"

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "kdump/loader/purgatory/purgatory.h"

static void describe_region(const struct segment *segment, struct purgatory_region *region)
{
	static const uint8_t zeros[SEGMENT_PAGE];
	struct kd_sha256 ctx;

	region->start = segment->mem;
	region->size = segment_round(segment->bufsz);
	strncpy(region->name, segment->name, sizeof(region->name) - 1);
	kd_sha256_init(&ctx);
	kd_sha256_update(&ctx, segment->buf, segment->bufsz);
	kd_sha256_update(&ctx, zeros, region->size - segment->bufsz);
	kd_sha256_final(&ctx, region->digest);
}

static void fill_params(const struct kd_sysroot *root, const struct loader_image *image, bool checksum,
			struct purgatory_params *params)
{
	size_t i;

	params->entry = image->kernel_address + image->kernel.entry;
	params->boot_info = image->boot_info_address;
	params->page_tables = image->page_tables_address;
	image->arch->find_ways_out(root, image->boot_cmdline, params);
	params->stop_devices = image->whole_machine;
	for (i = 0; checksum && i < image->segments.count; i++)
		if (!image->segments.segment[i].unchecked)
			describe_region(&image->segments.segment[i], &params->region[params->regions++]);
}

struct kd_error *purgatory_place(const struct kd_sysroot *root, struct loader_image *image, bool checksum)
{
	static const struct segment_place place = { SEGMENT_PAGE, 0, UINT64_MAX, true };
	size_t size = image->arch->purgatory_end - image->arch->purgatory;
	struct purgatory_params params = { 0 };
	struct segment segment = { .name = "purgatory", .bufsz = size, .unchecked = true };

	if (!image->arch->purgatory) {
		image->entry = image->kernel_address + image->kernel.entry;
		return NULL;
	}
	image->purgatory = malloc(size);
	if (!image->purgatory)
		return kd_error_nomem();
	fill_params(root, image, checksum, &params);
	memcpy(image->purgatory, image->arch->purgatory, size);
	memcpy((char *)image->purgatory + PURGATORY_PARAMS, &params, sizeof(params));
	segment.buf = image->purgatory;
	return segments_add(&image->segments, &segment, &place, &image->entry);
}
