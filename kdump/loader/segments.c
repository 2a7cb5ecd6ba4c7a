/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/loader/segments.h"

#include <inttypes.h>
#include <string.h>

struct kd_error *segments_add(struct segments *segments, const struct segment *segment,
			      const struct segment_place *place, uint64_t *mem_ret)
{
	uint64_t page = segments->page ? segments->page : SEGMENT_PAGE;
	struct segment placed = *segment;
	uint64_t size;

	if (segments->count == SEGMENT_MAX)
		return kd_error_create(KD_ERR_LIMIT, "more than %d segments", SEGMENT_MAX);
	if (placed.memsz < placed.bufsz)
		placed.memsz = placed.bufsz;
	placed.memsz = (placed.memsz + page - 1) & ~(page - 1);
	size = placed.reserve > placed.memsz ? (placed.reserve + page - 1) & ~(page - 1) : placed.memsz;
	if (!kd_ranges_find(&segments->free, placed.offset + size, place->align > page ? place->align : page,
			    place->low, place->high, place->top_down, &placed.mem))
		return kd_error_create(KD_ERR_LIMIT,
				       "no room for the %s: %" PRIu64 " KiB in one piece are needed, %" PRIu64
				       " KiB are left",
				       placed.name, size >> 10, kd_ranges_total(&segments->free) >> 10);
	placed.mem += placed.offset;
	if (!kd_ranges_subtract(&segments->free, placed.mem, placed.mem + size))
		return kd_error_nomem();
	segments->segment[segments->count++] = placed;
	if (mem_ret)
		*mem_ret = placed.mem;
	return NULL;
}

struct kd_error *segments_leave_hole(struct segments *segments, uint64_t size)
{
	uint64_t at;

	if (!kd_ranges_find(&segments->free, segment_round(size), SEGMENT_PAGE, 0, UINT64_MAX, false, &at))
		return kd_error_create(KD_ERR_LIMIT, "no room for %" PRIu64 " KiB of the kernel's control pages",
				       size >> 10);
	return kd_ranges_subtract(&segments->free, at, at + segment_round(size)) ? NULL : kd_error_nomem();
}

const struct segment *segments_find(const struct segments *segments, const char *name)
{
	size_t i;

	for (i = 0; i < segments->count; i++)
		if (strcmp(segments->segment[i].name, name) == 0)
			return &segments->segment[i];
	return NULL;
}

void segments_free(struct segments *segments)
{
	kd_ranges_free(&segments->free);
	*segments = (struct segments){ 0 };
}
