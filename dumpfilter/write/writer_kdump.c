/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfilter/vmcore/kdump_format.h"
#include "dumpfilter/write/writer.h"

#define BITMAP_CHUNK (UINT64_C(64) << 10)

struct writer {
	struct output *output;
	uint64_t block_size;
	uint64_t bitmap_offset;
	uint64_t half_bitmap; /* bytes, whole blocks */
	uint64_t desc_offset;
	uint64_t zero_page_offset;
	uint32_t status;
};

static uint64_t blocks(uint64_t bytes, uint64_t block_size)
{
	return bytes / block_size + (bytes % block_size != 0);
}

/* Blocks of the sub header, with what lies behind it: the notes, and the record of what was erased. */
static uint64_t sub_header_blocks(const struct dump_description *dump)
{
	return blocks(sizeof(struct kdump_sub_header) + dump->notes_size + dump->eraseinfo_size, dump->page_size);
}

static struct kd_error *write_headers(struct writer *writer, const struct dump_description *dump)
{
	uint64_t block = writer->block_size;
	uint64_t notes_offset = block + sizeof(struct kdump_sub_header);
	uint64_t eraseinfo_offset = notes_offset + dump->notes_size;
	struct kdump_header header = {
		.header_version = KDUMP_VERSION,
		.time_sec = dump->crash_time,
		.status = writer->status,
		.block_size = (uint32_t)block,
		.sub_header_blocks = (uint32_t)sub_header_blocks(dump),
		.bitmap_blocks = (uint32_t)(2 * writer->half_bitmap / block),
		.max_mapnr = dump->end_pfn < UINT32_MAX ? (uint32_t)dump->end_pfn : UINT32_MAX,
		.cpu_count = dump->cpu_count,
	};
	struct kdump_sub_header sub_header = {
		.phys_base = dump->phys_base,
		.dump_level = dump->level,
		.vmcoreinfo_offset = dump->vmcoreinfo_size ? notes_offset + dump->vmcoreinfo_offset : 0,
		.vmcoreinfo_size = dump->vmcoreinfo_size,
		.notes_offset = notes_offset,
		.notes_size = dump->notes_size,
		.eraseinfo_offset = dump->eraseinfo_size ? eraseinfo_offset : 0,
		.eraseinfo_size = dump->eraseinfo_size,
		.split = dump->split,
		.start_pfn = dump->start_pfn,
		.end_pfn = dump->end_part_pfn,
		.start_pfn_64 = dump->start_pfn,
		.end_pfn_64 = dump->end_part_pfn,
		.max_mapnr_64 = dump->end_pfn,
	};
	struct kd_error *err;

	memcpy(header.signature, KDUMP_SIGNATURE, sizeof(header.signature));
	_Static_assert(sizeof(header.utsname) == sizeof(dump->name), "six strings of 65 bytes");
	memcpy(header.utsname, &dump->name, sizeof(header.utsname));

	output_hold(writer->output, offsetof(struct kdump_header, status), sizeof(header.status));
	err = output_write_at(writer->output, 0, &header, sizeof(header));
	if (!err)
		err = output_write_at(writer->output, block, &sub_header, sizeof(sub_header));
	if (!err)
		err = output_write_at(writer->output, notes_offset, dump->notes, dump->notes_size);
	if (!err && dump->eraseinfo_size)
		err = output_write_at(writer->output, eraseinfo_offset, dump->eraseinfo, dump->eraseinfo_size);
	return err;
}

/* Bitmap 1 is made piece by piece from the ranges of RAM: it need not be in memory. */
static struct kd_error *write_memory_bitmap(struct writer *writer, const struct dump_description *dump)
{
	struct kd_error *err = NULL;

	for (uint64_t done = 0; done < writer->half_bitmap && !err; done += BITMAP_CHUNK) {
		_cleanup_(pfn_bitmap_release) struct pfn_bitmap chunk = { 0 };
		uint64_t size = writer->half_bitmap - done < BITMAP_CHUNK ? writer->half_bitmap - done : BITMAP_CHUNK;
		_cleanup_(kd_ranges_free) struct kd_ranges part = { 0 };
		uint64_t start = done * 8 * dump->page_size;
		uint64_t end = start + size * 8 * dump->page_size;

		if (!pfn_bitmap_init(&chunk, size * 8) || !kd_ranges_copy(dump->ram, &part) ||
		    !kd_ranges_clip(&part, start, end))
			return kd_error_nomem();
		for (size_t i = 0; i < part.count; i++) {
			part.range[i].start -= start;
			part.range[i].end -= start;
		}
		pfn_bitmap_set_ranges(&chunk, &part, dump->page_size, dump->whole_tails);
		err = output_write_at(writer->output, writer->bitmap_offset + done, chunk.bits, size);
	}
	return err;
}

/* All of bitmap 2, or a piece of it. */
static struct kd_error *write_kept_bitmap(struct writer *writer, const struct pfn_bitmap *kept)
{
	/* The rest of the last block is a hole that reads as zeros, or is written with what follows. */
	return output_write_at(writer->output, writer->bitmap_offset + writer->half_bitmap + kept->start_pfn / 8,
			       kept->bits, blocks(kept->end_pfn - kept->start_pfn, 8));
}

/* Computes the offset of every part of the file. */
static void lay_out(struct writer *writer, const struct dump_description *dump)
{
	uint64_t block = dump->page_size;
	uint64_t desc_size = dump->kept_pages * sizeof(struct page_desc);

	writer->block_size = block;
	writer->half_bitmap = blocks(blocks(dump->end_pfn, 8), block) * block;
	writer->bitmap_offset = block + sub_header_blocks(dump) * block;
	writer->desc_offset = writer->bitmap_offset + 2 * writer->half_bitmap;
	writer->zero_page_offset = writer->desc_offset + desc_size;
	/* If the file is one of several, makedumpfile --reassemble looks for the zero page exactly here. */
	if (!dump->split)
		writer->zero_page_offset = blocks(writer->zero_page_offset, block) * block;
}

static uint64_t front_size(const struct dump_description *dump)
{
	struct writer writer;

	lay_out(&writer, dump);
	return writer.zero_page_offset + writer.block_size;
}

static struct kd_error *write_front(struct writer *writer, const struct dump_description *dump)
{
	uint64_t block = writer->block_size;
	uint64_t later = dump->kept ? writer->desc_offset : writer->bitmap_offset + writer->half_bitmap;
	struct kd_error *err;

	err = write_headers(writer, dump);
	/* This comes first, so that there is room for every page_desc, and every piece of bitmap 2, when the disk is
	 * full. */
	if (!err)
		err = output_reserve(writer->output, later, writer->zero_page_offset + block - later);
	if (!err)
		err = write_memory_bitmap(writer, dump);
	if (!err && dump->kept)
		err = write_kept_bitmap(writer, dump->kept);
	output_begin_data(writer->output, blocks(writer->zero_page_offset + block, block) * block);
	return err;
}

static void destroy(struct writer *writer)
{
	free(writer);
}
DEFINE_CLEANUP(struct writer *, destroy)

static struct kd_error *begin(struct output *output, const struct dump_description *dump, struct writer **ret)
{
	_cleanup_(destroy) struct writer *writer = calloc(1, sizeof(*writer));
	struct kd_error *err;

	if (!writer)
		return kd_error_nomem();
	writer->output = output;
	lay_out(writer, dump);
	writer->status = dump->codec_flag | KDUMP_STATUS_INCOMPLETE;
	err = write_front(writer, dump);
	if (err)
		return err;
	*ret = take_ptr(writer);
	return NULL;
}

/* The page_desc of a page whose data is in the file; false if it is not. */
static bool make_desc(const struct writer *writer, const struct page_unit *unit, const struct unit_page *page,
		      size_t done, struct page_desc *ret)
{
	switch (page->state) {
	case UNIT_PAGE_DATA:
		*ret = (struct page_desc){ unit->place + page->offset, page->size, page->flags, 0 };
		return page->offset + page->size <= done;
	case UNIT_PAGE_SHARED:
		*ret = (struct page_desc){ page->offset, page->size, page->flags, 0 };
		return true;
	case UNIT_PAGE_ZERO:
		*ret = (struct page_desc){ writer->zero_page_offset, (uint32_t)writer->block_size, 0, 0 };
		return true;
	case UNIT_PAGE_UNREADABLE:
		break;
	}
	return false;
}

/* Runs of neighbours at once; of a unit of consecutive pages it is one. */
static struct kd_error *write_descs(struct writer *writer, const struct page_unit *unit, size_t done)
{
	struct page_desc run[PAGE_UNIT_MAX];
	unsigned int length = 0;
	uint64_t first = 0;
	struct kd_error *err = NULL;

	for (unsigned int i = 0; i < unit->count && !err; i++) {
		const struct unit_page *page = &unit->page[i];
		bool is_there = make_desc(writer, unit, page, done, &run[length]);

		if (is_there && length == 0)
			first = page->rank;
		length += is_there;
		if (length && (!is_there || i + 1 == unit->count || page[1].rank != page->rank + 1)) {
			err = output_write_at(writer->output, writer->desc_offset + first * sizeof(run[0]), run,
					      length * sizeof(run[0]));
			length = 0;
		}
	}
	return err;
}

static struct kd_error *put(struct writer *writer, struct page_unit *unit)
{
	struct kd_error *err = output_check(writer->output), *desc_err;
	size_t done;

	if (err)
		return err;
	unit->place = output_claim(writer->output, unit->used);
	err = output_put(writer->output, unit->place, unit->data, unit->used, &done);
	desc_err = write_descs(writer, unit, done);
	if (!err)
		return desc_err;
	kd_error_destroy(desc_err);
	return err;
}

static void give_up(struct writer *writer)
{
	kd_error_destroy(output_sync(writer->output));
}

static struct kd_error *finish(struct writer *writer)
{
	uint32_t status = writer->status & ~KDUMP_STATUS_INCOMPLETE;
	struct kd_error *err = output_sync(writer->output);

	if (!err)
		err = output_write_at(writer->output, offsetof(struct kdump_header, status), &status, sizeof(status));
	if (!err)
		err = output_sync(writer->output);
	return err;
}

const struct writer_ops writer_kdump = {
	.name = "kdump",
	.concurrent = true,
	.sharing = true,
	.front_size = front_size,
	.begin = begin,
	.put_window = write_kept_bitmap,
	.put = put,
	.give_up = give_up,
	.finish = finish,
	.destroy = destroy,
};
