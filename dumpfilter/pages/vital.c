/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/pages/vital.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "dumpfilter/kernel/arch.h"
#include "dumpfilter/kernel/dmesg.h"
#include "dumpfilter/kernel/page_table.h"

/* The largest NR_CPUS of any architecture (x86_64, MAXSMP). */
#define CPUS_MAX 8192u
/* What the first chunk of per-CPU memory has behind the kernel's own variables (Linux include/linux/percpu.h). */
#define PERCPU_MODULE_RESERVE  (UINT64_C(8) << 10)
#define PERCPU_DYNAMIC_RESERVE (UINT64_C(28) << 10)
/* No machine has more than one in so many bytes of per-CPU memory. */
#define PERCPU_PART 4
/* More than any kernel has of its own variables. */
#define PERCPU_STATIC_MAX (UINT64_C(16) << 20)
/* No kernel's image is larger. */
#define IMAGE_MAX (UINT64_C(1) << 30)

static const struct {
	const char *words;
	bool telling;
} kinds[VITAL_KINDS] = {
	[VITAL_TABLES] = { "the kernel's page tables", true },
	[VITAL_MEM_MAP] = { "the mem_map", true },
	[VITAL_IMAGE] = { "the kernel image", true },
	/* So few, and so close together, that they tell nothing: one page of damaged struct pages is most of them. */
	[VITAL_PERCPU] = { "the per-CPU memory", false },
	[VITAL_LOG] = { "the kernel's log", false },
	[VITAL_BOOT] = { "the memory for booting", false },
};

const char *vital_kind_words(enum vital_kind kind)
{
	return kinds[kind].words;
}

bool vital_kind_is_telling(enum vital_kind kind)
{
	return kinds[kind].telling;
}

/* What is used of memory is whole pages: outwards those that are kept, inwards those that may be given away. */
static void add_outwards(const struct address_space *space, struct kd_ranges *frames, uint64_t start, uint64_t end)
{
	uint64_t mask = space->page_size - 1;

	/* Without memory for the list, the struct pages have to do. */
	if (start < end)
		(void)!kd_ranges_add(frames, start & ~mask, (end + mask) & ~mask);
}

static void subtract_inwards(const struct address_space *space, struct kd_ranges *frames, uint64_t start, uint64_t end)
{
	uint64_t mask = space->page_size - 1;

	start = (start + mask) & ~mask;
	end &= ~mask;
	if (start < end)
		(void)!kd_ranges_subtract(frames, start, end);
}

/* --- the image ---------------------------------------------------------------------------------------------------- */

static bool in_image(const struct paging *paging, uint64_t vaddr)
{
	return vaddr >= paging->image_base && vaddr - paging->image_base < paging->image_size;
}

/* The boot-time heap (brk) lies at the image's end; behind what was used of it, memory is free. 0: there is none. */
static uint64_t end_of_brk(struct address_space *space, const struct landmarks *landmarks)
{
	uint64_t symbol = landmarks->vaddr[LANDMARK_BRK_END], end = 0;

	if (!symbol || kd_error_discard(address_space_read_u64(space, symbol, &end)) ||
	    end < landmarks->vaddr[LANDMARK_DATA] || end > landmarks->vaddr[LANDMARK_END])
		return 0;
	return end;
}

/* In virtual addresses. */
static void image_by_symbols(struct address_space *space, const struct landmarks *landmarks, struct kd_ranges *ret)
{
	static const enum landmark kept[][2] = {
		{ LANDMARK_TEXT, LANDMARK_TEXT_END },
		{ LANDMARK_RODATA, LANDMARK_RODATA_END },
		{ LANDMARK_DATA, LANDMARK_END },
	};
	static const enum landmark given_away[][2] = {
		{ LANDMARK_INIT, LANDMARK_INIT_END },
		{ LANDMARK_LOCKS, LANDMARK_LOCKS_END }, /* on machines with one CPU */
		{ LANDMARK_DECRYPTED, LANDMARK_DECRYPTED_END },
	};
	uint64_t brk = end_of_brk(space, landmarks);

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		struct kd_range part = landmarks_range(landmarks, kept[i][0], kept[i][1]);

		if (in_image(&space->paging, part.start) && part.end - part.start <= IMAGE_MAX)
			add_outwards(space, ret, part.start, part.end);
	}
	for (size_t i = 0; i < ARRAY_SIZE(given_away); i++) {
		struct kd_range part = landmarks_range(landmarks, given_away[i][0], given_away[i][1]);

		subtract_inwards(space, ret, part.start, part.end);
	}
	if (brk)
		subtract_inwards(space, ret, brk, landmarks->vaddr[LANDMARK_END]);
}

/* Without symbols: code and constants. What the kernel gives away it has made writable. */
static void image_by_rights(struct address_space *space, struct kd_ranges *ret)
{
	uint64_t left = IMAGE_MAX;
	size_t count;
	const struct vmcore_segment *segment = vmcore_segments(space->vmcore, &count);

	for (size_t i = 0; i < count; i++) {
		uint64_t total = segment[i].memory_size < left ? segment[i].memory_size : left;

		if (!in_image(&space->paging, segment[i].vaddr))
			continue;
		left -= total;
		for (uint64_t done = 0, size; done < total; done += size) {
			uint64_t vaddr = segment[i].vaddr + done;
			enum page_rights rights = page_table_rights(space, vaddr, &size);

			if (size > total - done)
				size = total - done;
			if (rights != PAGE_WRITABLE)
				add_outwards(space, ret, vaddr, vaddr + size);
		}
	}
}

static void find_image(struct address_space *space, const struct landmarks *landmarks, struct kd_ranges *ret)
{
	_cleanup_(kd_ranges_free) struct kd_ranges image = { 0 };

	image_by_symbols(space, landmarks, &image);
	if (!image.count)
		image_by_rights(space, &image);
	for (size_t i = 0; i < image.count; i++)
		address_space_find_frames(space, image.range[i].start, image.range[i].end - image.range[i].start, ret);
}

/* --- per-CPU memory ----------------------------------------------------------------------------------------------- */

/* Each CPU has its own copy of [__per_cpu_start, __per_cpu_end), at an offset from there. */
static void find_percpu(struct address_space *space, const struct landmarks *landmarks, struct kd_ranges *ret)
{
	uint64_t start = landmarks->vaddr[LANDMARK_PERCPU], end = landmarks->vaddr[LANDMARK_PERCPU_END];
	uint64_t offsets = landmarks->vaddr[LANDMARK_PERCPU_OFFSETS], offset;
	/* A damaged number of CPUs, or size, must not keep the capture busy. */
	uint64_t size = end - start + PERCPU_MODULE_RESERVE + PERCPU_DYNAMIC_RESERVE;
	uint64_t left = kd_ranges_total(vmcore_contents(space->vmcore)) / PERCPU_PART;
	uint32_t cpus;

	if (!offsets || start >= end || end - start > PERCPU_STATIC_MAX || !landmarks->vaddr[LANDMARK_CPU_COUNT] ||
	    kd_error_discard(address_space_read_u32(space, landmarks->vaddr[LANDMARK_CPU_COUNT], &cpus)))
		return;
	for (uint32_t i = 0; i < cpus && i < CPUS_MAX && left >= size; i++) {
		if (kd_error_discard(address_space_read_u64(space, offsets + i * sizeof(offset), &offset)) || !offset)
			continue;
		address_space_find_frames(space, offset + start, size, ret);
		left -= size;
	}
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static bool append(struct vital *vital, enum vital_kind kind, const struct kd_ranges *frames, uint64_t page_size)
{
	struct vital_range *range;

	if (frames->count == 0)
		return true; /* realloc() to no size at all would free it */
	range = realloc(vital->range, (vital->count + frames->count) * sizeof(*range));
	if (!range)
		return false;
	vital->range = range;
	for (size_t i = 0; i < frames->count; i++) {
		uint64_t start = frames->range[i].start / page_size, end = frames->range[i].end / page_size;

		range[vital->count++] = (struct vital_range){ start, end, kind };
		vital->pages[kind] += end - start;
	}
	return true;
}

/* Frames of two kinds are of the first. */
static bool unite(const struct kd_ranges found[VITAL_KINDS], uint64_t page_size, struct vital *ret)
{
	_cleanup_(kd_ranges_free) struct kd_ranges seen = { 0 };

	for (unsigned int kind = 0; kind < VITAL_KINDS; kind++) {
		_cleanup_(kd_ranges_free) struct kd_ranges rest = { 0 };

		if (!kd_ranges_copy(&found[kind], &rest) || !kd_ranges_subtract_all(&rest, &seen) ||
		    !append(ret, kind, &rest, page_size))
			return false;
		for (size_t i = 0; i < rest.count; i++)
			if (!kd_ranges_add(&seen, rest.range[i].start, rest.range[i].end))
				return false;
	}
	return true;
}

static int by_start(const void *a, const void *b)
{
	const struct vital_range *first = a, *second = b;

	return (first->start > second->start) - (first->start < second->start);
}

struct kd_error *vital_find(struct address_space *space, const struct kd_ranges *mem_map,
			    const struct landmarks *landmarks, struct vital *ret)
{
	_cleanup_(vital_release) struct vital vital = { 0 };
	struct kd_ranges found[VITAL_KINDS] = { 0 };
	bool good;

	find_image(space, landmarks, &found[VITAL_IMAGE]);
	find_percpu(space, landmarks, &found[VITAL_PERCPU]);
	dmesg_find_frames(space, &found[VITAL_LOG]);
	add_outwards(space, &found[VITAL_BOOT], space->arch->boot_memory.start, space->arch->boot_memory.end);
	/* Last, since all that was read until now belongs to it. */
	good = kd_ranges_copy(&space->walked, &found[VITAL_TABLES]) && kd_ranges_copy(mem_map, &found[VITAL_MEM_MAP]) &&
	       unite(found, space->page_size, &vital);
	for (size_t i = 0; i < VITAL_KINDS; i++)
		kd_ranges_free(&found[i]);
	if (!good)
		return kd_error_nomem();
	if (vital.count)
		qsort(vital.range, vital.count, sizeof(*vital.range), by_start);
	*ret = vital;
	vital = (struct vital){ 0 };
	return NULL;
}

void vital_release(struct vital *vital)
{
	free(vital->range);
	*vital = (struct vital){ 0 };
}

size_t vital_first_above(const struct vital *vital, uint64_t pfn)
{
	size_t low = 0, high = vital->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (vital->range[middle].end <= pfn)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool vital_is_needed(const struct vital *vital, uint64_t pfn)
{
	size_t i = vital_first_above(vital, pfn);

	return i < vital->count && vital->range[i].start <= pfn && vital->range[i].kind != VITAL_BOOT;
}
