/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --reassemble: the files of --split become one. Pages are copied as they are, compressed. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/vmcore/vmcore_format.h"
#include "dumpfilter/write/writer.h"

struct set {
	unsigned int count;
	struct vmcore *part[DUMPFILTER_PARTS_MAX];
	struct pfn_bitmap kept;
};

static void set_release(struct set *set)
{
	for (unsigned int i = 0; i < set->count; i++)
		vmcore_close(set->part[i]);
	pfn_bitmap_release(&set->kept);
}
static inline void set_release_cleanup(struct set *set)
{
	set_release(set);
}

static int compare(const void *a, const void *b)
{
	const struct vmcore_origin *x = vmcore_origin(*(struct vmcore *const *)a);
	const struct vmcore_origin *y = vmcore_origin(*(struct vmcore *const *)b);

	return x->start_pfn < y->start_pfn ? -1 : x->start_pfn > y->start_pfn;
}

/* Headers that must be the same, and ranges that must follow each other. */
static struct kd_error *check(const struct set *set)
{
	const struct vmcore_origin *first = vmcore_origin(set->part[0]);
	uint64_t next = 0, end = vmcore_end_paddr(set->part[0]) / first->page_size;
	size_t notes_size, size;
	const void *notes = vmcore_notes(set->part[0], &notes_size);

	for (unsigned int i = 0; i < set->count; i++) {
		const struct vmcore *part = set->part[i];
		const struct vmcore_origin *origin = vmcore_origin(part);
		const void *own = vmcore_notes(part, &size);

		if (origin->page_size != first->page_size || origin->crash_time != first->crash_time ||
		    size != notes_size || vmcore_end_paddr(part) != vmcore_end_paddr(set->part[0]) ||
		    kd_ranges_total(vmcore_ram(part)) != kd_ranges_total(vmcore_ram(set->part[0])) ||
		    (size && memcmp(own, notes, size) != 0))
			return kd_error_create(KD_ERR_FORMAT, "%s and %s are not of the same dump",
					       vmcore_path(set->part[0]), vmcore_path(part));
		if (origin->start_pfn != next)
			return kd_error_create(
				KD_ERR_FORMAT,
				"%s begins with page 0x%lx, but page 0x%lx comes next: is a file missing?",
				vmcore_path(part), origin->start_pfn, next);
		next = origin->end_pfn;
	}
	if (next < end)
		return kd_error_create(KD_ERR_FORMAT, "the last file ends with page 0x%lx of 0x%lx: is a file missing?",
				       next, end);
	return NULL;
}

static struct kd_error *set_open(struct set *set, const char *const *path, unsigned int count)
{
	uint64_t end = 0;

	for (unsigned int i = 0; i < count; i++) {
		const struct vmcore_origin *origin;
		struct kd_error *err = vmcore_open(path[i], &set->part[i]);

		if (err)
			return err;
		set->count++;
		origin = vmcore_origin(set->part[i]);
		if (!origin->split)
			return kd_error_create(KD_ERR_FORMAT, "%s is not one of several files that --split wrote",
					       path[i]);
		if (origin->max_mapnr > end)
			end = origin->max_mapnr;
	}
	qsort(set->part, set->count, sizeof(set->part[0]), compare);
	struct kd_error *err = check(set);
	if (err)
		return err;
	if (!pfn_bitmap_init(&set->kept, end))
		return kd_error_nomem();
	for (unsigned int i = 0; i < count; i++)
		pfn_bitmap_set_ranges(&set->kept, vmcore_contents(set->part[i]), vmcore_origin(set->part[i])->page_size,
				      false);
	return NULL;
}

static void describe(const struct set *set, struct dump_description *ret)
{
	const struct vmcore *first = set->part[0];
	const struct vmcore_origin *origin = vmcore_origin(first);
	const char *vmcoreinfo;

	*ret = (struct dump_description){
		.page_size = origin->page_size,
		.end_pfn = set->kept.end_pfn,
		.ram = vmcore_ram(first),
		.kept_pages = pfn_bitmap_count(&set->kept, 0, UINT64_MAX),
		.kept = &set->kept,
		.crash_time = origin->crash_time,
		.phys_base = origin->phys_base,
		.level = origin->level,
		.cpu_count = vmcore_cpu_count(first),
		.codec_flag = origin->codec,
		.eraseinfo = origin->eraseinfo,
		.eraseinfo_size = origin->eraseinfo_size,
	};
	memcpy(&ret->name, origin->utsname, sizeof(ret->name));
	ret->notes = vmcore_notes(first, &ret->notes_size);
	vmcoreinfo = vmcore_vmcoreinfo(first, &ret->vmcoreinfo_size);
	if (vmcoreinfo)
		ret->vmcoreinfo_offset = (size_t)(vmcoreinfo - (const char *)ret->notes);
}

static struct kd_error *take_page(struct vmcore_window *window, struct page_unit *unit, uint64_t pfn, uint64_t rank,
				  uint64_t page_size)
{
	struct unit_page *page = &unit->page[unit->count];
	struct kd_error *err;

	*page = (struct unit_page){ .pfn = pfn, .rank = rank, .offset = unit->used };
	err = vmcore_kdump_packed(window, pfn, unit->data + unit->used, &page->size, &page->flags);
	if (err && err->code != KD_ERR_HOLE)
		return err;
	if (err)
		page->state = UNIT_PAGE_UNREADABLE;
	else if (page->flags == 0 && kd_all_zero(unit->data + unit->used, page_size))
		page->state = UNIT_PAGE_ZERO;
	else
		page->state = UNIT_PAGE_DATA;
	kd_error_destroy(err);
	if (page->state == UNIT_PAGE_DATA)
		unit->used += page->size;
	unit->count++;
	return NULL;
}

static struct kd_error *copy_pages(const struct set *set, struct writer *writer, struct page_unit *unit)
{
	uint64_t rank = 0, page_size = vmcore_origin(set->part[0])->page_size;
	struct kd_error *err = NULL;

	for (unsigned int i = 0; i < set->count && !err; i++) {
		uint64_t end = vmcore_origin(set->part[i])->end_pfn;
		struct vmcore_window window;

		vmcore_window_init(&window, set->part[i]);
		for (uint64_t pfn = pfn_bitmap_next(&set->kept, vmcore_origin(set->part[i])->start_pfn);
		     pfn < end && pfn < set->kept.end_pfn && !err; pfn = pfn_bitmap_next(&set->kept, pfn + 1)) {
			err = take_page(&window, unit, pfn, rank++, page_size);
			if (!err && unit->count == PAGE_UNIT_MAX) {
				err = writer_kdump.put(writer, unit);
				unit->count = 0;
				unit->used = 0;
			}
		}
		vmcore_window_release(&window);
	}
	return err || !unit->count ? err : writer_kdump.put(writer, unit);
}

struct kd_error *dumpfilter_reassemble(const char *const *part, unsigned int count, const char *out_path, bool replace)
{
	_cleanup_(set_release) struct set set = { 0 };
	_cleanup_(output_release) struct output output = { .fd = -1, .direct_fd = -1, .replace = replace };
	_cleanup_free_ struct page_unit *unit = calloc(1, sizeof(*unit));
	_cleanup_free_ uint8_t *data = NULL;
	struct dump_description dump;
	struct writer *writer = NULL;
	struct kd_error *err;

	if (!unit)
		return kd_error_nomem();
	err = set_open(&set, part, count);
	if (err)
		return err;
	describe(&set, &dump);
	data = aligned_alloc(OUTPUT_ALIGN, PAGE_UNIT_MAX * dump.page_size + OUTPUT_ALIGN);
	if (!data)
		return kd_error_nomem();
	unit->data = data;
	err = output_create(&output, out_path, false);
	if (!err)
		err = writer_kdump.begin(&output, &dump, &writer);
	if (!err)
		err = copy_pages(&set, writer, unit);
	for (unsigned int i = 0; i < set.count && !err; i++)
		if (vmcore_origin(set.part[i])->incomplete)
			err = kd_error_create(KD_ERR_FORMAT, "%s is incomplete, so %s is incomplete, too",
					      vmcore_path(set.part[i]), out_path);
	if (writer && err)
		writer_kdump.give_up(writer);
	else if (!err)
		err = writer_kdump.finish(writer);
	writer_kdump.destroy(writer);
	return err;
}
