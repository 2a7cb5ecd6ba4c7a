/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --split: several kdump files, each with all of the headers and bitmaps, and with the pages of a range of its own. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dumpfilter/write/writer.h"

#define PFN_ALIGN UINT64_C(64) /* crash counts pages in whole words of the bitmap */

struct writer {
	struct output *first;
	unsigned int count;
	struct part {
		struct output output; /* of all but the first */
		struct writer *writer;
		uint64_t end_pfn;
		uint64_t first_rank;
	} part[];
};

/* Parts of equally many pages: where each ends. */
static void choose_ends(struct writer *writer, const struct dump_description *dump)
{
	uint64_t total = pfn_bitmap_count(dump->kept, 0, dump->end_pfn), rank = 0, pfn = 0;

	for (unsigned int i = 0; i < writer->count; i++) {
		struct part *part = &writer->part[i];
		uint64_t goal = total / writer->count * (i + 1);

		part->first_rank = rank;
		while (pfn < dump->end_pfn && (rank < goal || i + 1 == writer->count)) {
			rank += pfn_bitmap_count(dump->kept, pfn, pfn + PFN_ALIGN);
			pfn += PFN_ALIGN;
		}
		part->end_pfn = pfn < dump->end_pfn ? pfn : dump->end_pfn;
	}
}

static void destroy(struct writer *writer)
{
	if (!writer)
		return;
	for (unsigned int i = 0; i < writer->count; i++) {
		writer_kdump.destroy(writer->part[i].writer);
		/* Whoever asks knows of the first one alone. */
		writer->first->full |= writer->part[i].output.full;
		output_release(&writer->part[i].output);
	}
	free(writer);
}
DEFINE_CLEANUP(struct writer *, destroy)

static struct kd_error *begin(struct output *output, const struct dump_description *dump, struct writer **ret)
{
	unsigned int count = dump->part_count + 1;
	_cleanup_(destroy) struct writer *writer = calloc(1, sizeof(*writer) + count * sizeof(writer->part[0]));
	struct dump_description own = *dump;
	struct kd_error *err = NULL;

	if (!writer)
		return kd_error_nomem();
	writer->first = output;
	writer->count = count;
	for (unsigned int i = 0; i < count; i++)
		writer->part[i].output = (struct output){ .kind = output->kind,
							  .fd = -1,
							  .direct_fd = -1,
							  .replace = output->replace,
							  .limit = output->limit };
	choose_ends(writer, dump);
	own.split = true;
	for (unsigned int i = 0; i < count && !err; i++) {
		struct part *part = &writer->part[i];

		own.start_pfn = i ? part[-1].end_pfn : 0;
		own.end_part_pfn = part->end_pfn;
		if (i > 0 && output->kind == OUTPUT_FILE)
			err = output_create(&part->output, dump->part[i - 1], output->direct_fd >= 0);
		if (!err)
			err = writer_kdump.begin(i ? &part->output : output, &own, &part->writer);
	}
	if (err)
		return err;
	*ret = take_ptr(writer);
	return NULL;
}

/* Pages [first, end) of @unit as a unit of their own; NULL: no memory. */
static struct page_unit *cut_unit(const struct page_unit *unit, unsigned int first, unsigned int end)
{
	struct page_unit *own = malloc(sizeof(*own));
	size_t room = OUTPUT_ALIGN;

	if (!own)
		return NULL;
	for (unsigned int i = first; i < end; i++)
		room += unit->page[i].state == UNIT_PAGE_DATA ? unit->page[i].size : 0;
	*own = (struct page_unit){ .data = aligned_alloc(OUTPUT_ALIGN,
							 room / OUTPUT_ALIGN * OUTPUT_ALIGN + OUTPUT_ALIGN) };
	if (!own->data) {
		free(own);
		return NULL;
	}
	for (unsigned int i = first; i < end; i++) {
		struct unit_page *page = &own->page[own->count++];

		*page = unit->page[i];
		if (page->state != UNIT_PAGE_DATA)
			continue;
		memcpy(own->data + own->used, unit->data + page->offset, page->size);
		page->offset = own->used;
		own->used += page->size;
	}
	return own;
}

static struct kd_error *put_part(struct part *part, struct page_unit *unit, unsigned int first, unsigned int end)
{
	struct page_unit *own = NULL;
	struct kd_error *err;

	if (first > 0 || end < unit->count) {
		own = cut_unit(unit, first, end);
		if (!own)
			return kd_error_nomem();
		unit = own;
	}
	for (unsigned int i = 0; i < unit->count; i++)
		unit->page[i].rank -= part->first_rank;
	err = writer_kdump.put(part->writer, unit);
	if (own)
		free(own->data);
	free(own);
	return err;
}

static struct part *part_of(struct writer *writer, uint64_t pfn)
{
	struct part *part = writer->part;

	for (; pfn >= part->end_pfn; part++)
		assert(part + 1 < writer->part + writer->count);
	return part;
}

static struct kd_error *put(struct writer *writer, struct page_unit *unit)
{
	unsigned int count = unit->count;
	struct kd_error *err = NULL;

	for (unsigned int first = 0, end; first < count && !err; first = end) {
		struct part *part = part_of(writer, unit->page[first].pfn);

		for (end = first + 1; end < count && part_of(writer, unit->page[end].pfn) == part; end++)
			;
		err = put_part(part, unit, first, end);
	}
	return err;
}

static void give_up(struct writer *writer)
{
	for (unsigned int i = 0; i < writer->count; i++)
		writer_kdump.give_up(writer->part[i].writer);
}

static struct kd_error *finish(struct writer *writer)
{
	struct kd_error *err = NULL;

	for (unsigned int i = 0; i < writer->count && !err; i++)
		err = writer_kdump.finish(writer->part[i].writer);
	return err;
}

const struct writer_ops writer_split = {
	.name = "split",
	.option = WRITER_SPLIT,
	.copies = true,
	.concurrent = true,
	.begin = begin,
	.put = put,
	.give_up = give_up,
	.finish = finish,
	.destroy = destroy,
};
