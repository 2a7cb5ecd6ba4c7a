/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "dumpfilter/codec/decoder.h"
#include "dumpfilter/vmcore/kdump_format.h"
#include "dumpfilter/vmcore/vmcore_format.h"

#define BLOCK_SIZE_MIN 4096u
#define BLOCK_SIZE_MAX 65536u
/* 128 TiB of 4 KiB pages: what claims more is not a machine. */
#define PFN_MAX (UINT64_C(1) << 35)
/* Ranges of pages in the dump, 24 bytes of memory each. A bitmap that needs more was not made by a filter. */
#define RANGES_MAX    (UINT64_C(1) << 24)
#define BITMAP_CHUNK  ((size_t)64 << 10)
#define ERASEINFO_MAX (UINT64_C(16) << 20)
#define DESCS_AT_ONCE 170u /* a page of them */

/* Buffers for reading pages; for one thread at a time. */
struct reader {
	void *context[DECODERS_MAX];
	uint8_t *packed; /* as a page is in the file; one block */
	uint8_t *page;   /* the page that was read last in part … */
	uint64_t pfn;    /* … and its number; UINT64_MAX: none */
	struct page_desc desc[DESCS_AT_ONCE];
	uint64_t desc_first;
	uint64_t desc_count;
};

struct kdump {
	uint64_t block_size;
	uint64_t desc_offset;
	uint64_t *rank; /* of the first page of each range of vmcore->contents */
	uint64_t page_count;
	char utsname[6][65];
	char *eraseinfo;
	pthread_mutex_t lock;
	struct reader *reader; /* for vmcore_read(), under the lock */
};

/* --- opening ------------------------------------------------------------------------------------------------------ */

static struct kd_error *bad_header(const struct vmcore *vmcore, const char *what, uint64_t value)
{
	return kd_error_create(KD_ERR_FORMAT, "%s: the kdump header has an impossible value: %s is %lu", vmcore->path,
			       what, value);
}

/* How much of the sub header a version has; the rest is zero. */
static size_t sub_header_size(uint32_t version)
{
	static const size_t sizes[] = {
		[0] = 0,
		[1] = offsetof(struct kdump_sub_header, split),
		[2] = offsetof(struct kdump_sub_header, vmcoreinfo_offset),
		[3] = offsetof(struct kdump_sub_header, notes_offset),
		[4] = offsetof(struct kdump_sub_header, eraseinfo_offset),
		[5] = offsetof(struct kdump_sub_header, start_pfn_64),
	};

	return version < ARRAY_SIZE(sizes) ? sizes[version] : sizeof(struct kdump_sub_header);
}

static uint16_t elf_machine(const char *machine)
{
	static const struct {
		const char *name;
		uint16_t elf_machine;
	} machines[] = {
		{ "x86_64", EM_X86_64 },
		{ "aarch64", EM_AARCH64 },
		{ "riscv64", EM_RISCV },
	};

	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (strcmp(machine, machines[i].name) == 0)
			return machines[i].elf_machine;
	return EM_NONE;
}

/* The bits of @word stand for the pages from @pfn on. */
static bool add_bits(struct kd_ranges *ranges, uint64_t pfn, uint64_t word, uint64_t page_size)
{
	unsigned int position = 0;

	while (position < 64 && word >> position) {
		unsigned int start = position + (unsigned int)__builtin_ctzll(word >> position);
		uint64_t rest = ~(word >> start);
		unsigned int length = rest ? (unsigned int)__builtin_ctzll(rest) : 64 - start;

		if (!kd_ranges_add(ranges, (pfn + start) * page_size, (pfn + start + length) * page_size))
			return false;
		position = start + length;
	}
	return true;
}

/* A bitmap as ranges; it is read piece by piece and not kept. */
static struct kd_error *read_bitmap(const struct vmcore *vmcore, uint64_t offset, uint64_t end_pfn, uint64_t page_size,
				    struct kd_ranges *ret)
{
	_cleanup_free_ uint64_t *chunk = malloc(BITMAP_CHUNK);
	uint64_t bytes = (end_pfn + 7) / 8;

	if (!chunk)
		return kd_error_nomem();
	for (uint64_t done = 0; done < bytes; done += BITMAP_CHUNK) {
		size_t size = bytes - done < BITMAP_CHUNK ? bytes - done : BITMAP_CHUNK;
		struct kd_error *err;

		memset(chunk + size / 8, 0, size % 8 ? 8 : 0);
		err = vmcore_read_file(vmcore, offset + done, chunk, size, "bitmap");
		if (err)
			return err;
		for (size_t i = 0; i * 8 < size; i++) {
			uint64_t pfn = (done + i * 8) * 8, word = le64toh(chunk[i]);

			if (end_pfn - pfn < 64)
				word &= ~(~UINT64_C(0) << (end_pfn - pfn));
			if (word && !add_bits(ret, pfn, word, page_size))
				return kd_error_nomem();
		}
		if (ret->count > RANGES_MAX)
			return kd_error_create(KD_ERR_LIMIT, "%s: a bitmap in more than %lu pieces", vmcore->path,
					       RANGES_MAX);
	}
	return NULL;
}

static struct kd_error *read_bitmaps(struct vmcore *vmcore, const struct kdump_header *header, uint64_t end_pfn)
{
	struct kdump *kdump = vmcore->data;
	uint64_t block = kdump->block_size;
	uint64_t offset = (1 + (uint64_t)header->sub_header_blocks) * block;
	uint64_t size = (uint64_t)header->bitmap_blocks * block;
	_cleanup_(kd_ranges_free) struct kd_ranges common = { 0 };
	struct kd_error *err;

	if (end_pfn == 0 || end_pfn > PFN_MAX)
		return bad_header(vmcore, "max_mapnr", end_pfn);
	if (header->bitmap_blocks % 2 || size / 2 < (end_pfn + 7) / 8)
		return bad_header(vmcore, "bitmap_blocks", header->bitmap_blocks);
	if (offset > vmcore->file_size || size > vmcore->file_size - offset)
		return kd_error_create(KD_ERR_FORMAT, "%s: the file ends (at 0x%lx) before its bitmaps do (0x%lx)",
				       vmcore->path, vmcore->file_size, offset + size);
	kdump->desc_offset = offset + size;
	err = read_bitmap(vmcore, offset, end_pfn, block, &vmcore->ram);
	if (!err)
		err = read_bitmap(vmcore, offset + size / 2, end_pfn, block, &vmcore->contents);
	if (err)
		return err;
	if (!kd_ranges_intersect(&vmcore->ram, &vmcore->contents, &common))
		return kd_error_nomem();
	vmcore->origin.stray_pages = (kd_ranges_total(&vmcore->contents) - kd_ranges_total(&common)) / block;
	if (vmcore->origin.stray_pages)
		for (size_t i = 0; i < vmcore->contents.count; i++)
			if (!kd_ranges_add(&vmcore->ram, vmcore->contents.range[i].start,
					   vmcore->contents.range[i].end))
				return kd_error_nomem();
	if (vmcore->ram.count == 0)
		return kd_error_create(KD_ERR_FORMAT, "%s holds no memory (bitmap 1 is empty)", vmcore->path);
	return NULL;
}

/* page_descs are in the order of pages, so how many pages lie below a range tells where its page_descs are. */
static struct kd_error *count_pages(struct vmcore *vmcore)
{
	struct kdump *kdump = vmcore->data;
	const struct vmcore_origin *origin = &vmcore->origin;
	const struct kd_range *range;

	if (origin->split && !kd_ranges_clip(&vmcore->contents, origin->start_pfn * kdump->block_size,
					     origin->end_pfn * kdump->block_size))
		return kd_error_nomem();
	kdump->rank = calloc(vmcore->contents.count + 1, sizeof(*kdump->rank));
	if (!kdump->rank)
		return kd_error_nomem();
	for (size_t i = 0; i < vmcore->contents.count; i++) {
		range = &vmcore->contents.range[i];
		kdump->rank[i] = kdump->page_count;
		kdump->page_count += (range->end - range->start) / kdump->block_size;
	}
	return NULL;
}

/* Reads the list of data that an earlier filter erased, one line for each. */
static struct kd_error *read_eraseinfo(struct vmcore *vmcore, const struct kdump_sub_header *sub)
{
	struct kdump *kdump = vmcore->data;
	struct kd_error *err;

	if (sub->eraseinfo_size == 0)
		return NULL;
	if (sub->eraseinfo_size > ERASEINFO_MAX)
		return bad_header(vmcore, "size_eraseinfo", sub->eraseinfo_size);
	kdump->eraseinfo = malloc(sub->eraseinfo_size);
	if (!kdump->eraseinfo)
		return kd_error_nomem();
	err = vmcore_read_file(vmcore, sub->eraseinfo_offset, kdump->eraseinfo, sub->eraseinfo_size, "eraseinfo");
	if (err)
		return err;
	vmcore->origin.eraseinfo = kdump->eraseinfo;
	vmcore->origin.eraseinfo_size = sub->eraseinfo_size;
	return NULL;
}

static struct kd_error *read_sub_header(struct vmcore *vmcore, const struct kdump_header *header,
					struct kdump_sub_header *ret)
{
	struct vmcore_origin *origin = &vmcore->origin;
	bool wide = header->header_version >= 6;
	struct kd_error *err;

	*ret = (struct kdump_sub_header){ 0 };
	err = vmcore_read_file(vmcore, header->block_size, ret, sub_header_size(header->header_version), "sub header");
	if (err)
		return err;
	origin->level = ret->dump_level & DUMP_LEVEL_MAX;
	origin->phys_base = ret->phys_base;
	origin->max_mapnr = wide ? ret->max_mapnr_64 : header->max_mapnr;
	origin->split = ret->split;
	origin->start_pfn = wide ? ret->start_pfn_64 : ret->start_pfn;
	origin->end_pfn = wide ? ret->end_pfn_64 : ret->end_pfn;
	if (origin->split && (origin->start_pfn > origin->end_pfn || origin->end_pfn > PFN_MAX))
		return bad_header(vmcore, "end_pfn", origin->end_pfn);
	err = vmcore_append_notes(vmcore, ret->notes_offset, ret->notes_size);
	return err ? err : read_eraseinfo(vmcore, ret);
}

static struct kd_error *open_kdump(struct vmcore *vmcore)
{
	struct kdump *kdump = calloc(1, sizeof(*kdump));
	struct kdump_sub_header sub;
	struct kdump_header header;
	struct kd_error *err;

	if (!kdump)
		return kd_error_nomem();
	pthread_mutex_init(&kdump->lock, NULL);
	vmcore->data = kdump;
	err = vmcore_read_file(vmcore, 0, &header, sizeof(header), "kdump header");
	if (err)
		return err;
	if (header.block_size < BLOCK_SIZE_MIN || header.block_size > BLOCK_SIZE_MAX ||
	    (header.block_size & (header.block_size - 1)))
		return bad_header(vmcore, "(is it from a machine with another byte order or word size?) block_size",
				  header.block_size);
	kdump->block_size = header.block_size;
	memcpy(kdump->utsname, header.utsname, sizeof(kdump->utsname));
	for (size_t i = 0; i < ARRAY_SIZE(kdump->utsname); i++)
		kdump->utsname[i][sizeof(kdump->utsname[i]) - 1] = '\0';
	vmcore->machine = elf_machine(kdump->utsname[4]);
	vmcore->origin.page_size = header.block_size;
	vmcore->origin.codec = header.status & ~(KDUMP_STATUS_INCOMPLETE | KDUMP_STATUS_EXCLUDED_VMEMMAP);
	vmcore->origin.incomplete |= (header.status & KDUMP_STATUS_INCOMPLETE) != 0;
	vmcore->origin.utsname = (const char(*)[65])kdump->utsname;
	vmcore->origin.crash_time = header.time_sec;

	err = read_sub_header(vmcore, &header, &sub);
	if (!err)
		err = read_bitmaps(vmcore, &header, vmcore->origin.max_mapnr);
	if (!err)
		err = count_pages(vmcore);
	return err;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void reader_destroy(struct reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < DECODERS_MAX; i++)
		if (reader->context[i])
			decoders[i]->destroy(reader->context[i]);
	free(reader->packed);
	free(reader->page);
	free(reader);
}
DEFINE_CLEANUP(struct reader *, reader_destroy)

static struct reader *reader_create(const struct kdump *kdump)
{
	_cleanup_(reader_destroy) struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->pfn = UINT64_MAX;
	reader->packed = malloc(kdump->block_size);
	reader->page = malloc(kdump->block_size);
	if (!reader->packed || !reader->page)
		return NULL;
	return_ptr(reader);
}

static void close_kdump(struct vmcore *vmcore)
{
	struct kdump *kdump = vmcore->data;

	if (!kdump)
		return;
	reader_destroy(kdump->reader);
	pthread_mutex_destroy(&kdump->lock);
	free(kdump->rank);
	free(kdump->eraseinfo);
	free(kdump);
}

/* The first range of the contents that ends above @paddr; NULL: none. */
static const struct kd_range *find_range(const struct vmcore *vmcore, uint64_t paddr)
{
	size_t i = kd_ranges_first_above(&vmcore->contents, paddr);

	return i < vmcore->contents.count ? &vmcore->contents.range[i] : NULL;
}

/* page_descs are read in advance; those of neighbours are neighbours. */
static struct kd_error *get_desc(const struct vmcore *vmcore, struct reader *reader, uint64_t rank,
				 struct page_desc *ret)
{
	const struct kdump *kdump = vmcore->data;

	if (rank < reader->desc_first || rank - reader->desc_first >= reader->desc_count) {
		uint64_t offset = kdump->desc_offset + rank * sizeof(struct page_desc);
		uint64_t there = offset < vmcore->file_size ? (vmcore->file_size - offset) / sizeof(struct page_desc) :
							      0;
		uint64_t count = kdump->page_count - rank;

		if (count > DESCS_AT_ONCE)
			count = DESCS_AT_ONCE;
		if (count > there)
			count = there;
		if (count == 0)
			return kd_error_create(KD_ERR_HOLE, "%s: the file ends (at 0x%lx) before its page_descs do",
					       vmcore->path, vmcore->file_size);
		reader->desc_count = 0;
		struct kd_error *err = vmcore_read_file(vmcore, offset, reader->desc, count * sizeof(struct page_desc),
							"page_descs");
		if (err)
			return err;
		reader->desc_first = rank;
		reader->desc_count = count;
	}
	*ret = reader->desc[rank - reader->desc_first];
	return NULL;
}

static struct kd_error *expand(const struct vmcore *vmcore, struct reader *reader, uint64_t pfn,
			       const struct page_desc *desc, uint8_t *out)
{
	const struct kdump *kdump = vmcore->data;

	for (size_t i = 0; decoders[i]; i++) {
		if (decoders[i]->flag != desc->flags)
			continue;
		if (!reader->context[i])
			reader->context[i] = decoders[i]->create();
		if (!reader->context[i])
			return kd_error_nomem();
		if (decoders[i]->expand(reader->context[i], reader->packed, desc->size, out, kdump->block_size))
			return NULL;
		return kd_error_create(KD_ERR_FORMAT,
				       "%s: page 0x%lx: its %s data (%u bytes at offset 0x%lx) is damaged",
				       vmcore->path, pfn, decoders[i]->name, desc->size, desc->offset);
	}
	return kd_error_create(decoder_name(desc->flags) ? KD_ERR_UNSUPPORTED : KD_ERR_FORMAT,
			       "%s: page 0x%lx: compression 0x%x (%s) is not known to this program", vmcore->path, pfn,
			       desc->flags, decoder_name(desc->flags) ? decoder_name(desc->flags) : "damaged?");
}

/* Where a page is that bitmap 2 has. */
static struct kd_error *find_page(const struct vmcore *vmcore, struct reader *reader, uint64_t pfn,
				  const struct kd_range *range, struct page_desc *ret)
{
	const struct kdump *kdump = vmcore->data;
	uint64_t rank = kdump->rank[range - vmcore->contents.range] + pfn - range->start / kdump->block_size;
	struct page_desc desc = { 0 };
	struct kd_error *err = get_desc(vmcore, reader, rank, &desc);

	if (err)
		return kd_error_wrap(err, "page 0x%lx", pfn);
	if (desc.offset == 0 && desc.size == 0)
		return kd_error_create(KD_ERR_HOLE, "%s: page 0x%lx is missing (its page_desc is empty)", vmcore->path,
				       pfn);
	if (desc.size == 0 || desc.size > kdump->block_size || (desc.flags == 0 && desc.size != kdump->block_size) ||
	    desc.offset < kdump->block_size)
		return kd_error_create(KD_ERR_FORMAT,
				       "%s: page 0x%lx: its page_desc (at offset 0x%lx) says %u bytes at offset 0x%lx, "
				       "compression 0x%x",
				       vmcore->path, pfn, kdump->desc_offset + rank * sizeof(desc), desc.size,
				       desc.offset, desc.flags);
	if (desc.offset > vmcore->file_size || desc.size > vmcore->file_size - desc.offset)
		return kd_error_create(KD_ERR_HOLE, "%s: page 0x%lx: the file ends (at 0x%lx) before its data (0x%lx)",
				       vmcore->path, pfn, vmcore->file_size, desc.offset + desc.size);
	*ret = desc;
	return NULL;
}

/* A whole page. */
static struct kd_error *read_page(const struct vmcore *vmcore, struct reader *reader, uint64_t pfn,
				  const struct kd_range *range, uint8_t *out)
{
	struct page_desc desc = { 0 };
	struct kd_error *err = find_page(vmcore, reader, pfn, range, &desc);

	if (err)
		return err;
	err = vmcore_read_file(vmcore, desc.offset, desc.flags ? reader->packed : out, desc.size, "page");
	if (!err && desc.flags)
		err = expand(vmcore, reader, pfn, &desc, out);
	return err;
}

/* A part of a page; the page is kept for the next call. */
static struct kd_error *read_part(const struct vmcore *vmcore, struct reader *reader, uint64_t paddr, uint8_t *buf,
				  size_t size, const struct kd_range *range)
{
	const struct kdump *kdump = vmcore->data;
	uint64_t pfn = paddr / kdump->block_size;

	if (reader->pfn != pfn) {
		reader->pfn = UINT64_MAX;
		struct kd_error *err = read_page(vmcore, reader, pfn, range, reader->page);
		if (err)
			return err;
		reader->pfn = pfn;
	}
	memcpy(buf, reader->page + paddr % kdump->block_size, size);
	return NULL;
}

static struct kd_error *read_pages(const struct vmcore *vmcore, struct reader *reader, uint64_t paddr, uint8_t *buf,
				   size_t size, bool *holes)
{
	const struct kdump *kdump = vmcore->data;

	while (size > 0) {
		const struct kd_range *range = find_range(vmcore, paddr);
		struct kd_error *err = NULL;
		uint64_t piece;

		if (!range || range->start > paddr) {
			piece = range && range->start - paddr < size ? range->start - paddr : size;
			memset(buf, 0, piece);
			*holes = true;
		} else {
			piece = kdump->block_size - paddr % kdump->block_size;
			if (piece > size)
				piece = size;
			if (piece == kdump->block_size)
				err = read_page(vmcore, reader, paddr / kdump->block_size, range, buf);
			else
				err = read_part(vmcore, reader, paddr, buf, piece, range);
		}
		if (err)
			return err;
		paddr += piece;
		buf += piece;
		size -= piece;
	}
	return NULL;
}

static struct kd_error *read_kdump(const struct vmcore *vmcore, uint64_t paddr, uint8_t *buf, size_t size, bool *holes)
{
	struct kdump *kdump = vmcore->data;
	struct kd_error *err;

	pthread_mutex_lock(&kdump->lock);
	if (!kdump->reader)
		kdump->reader = reader_create(kdump);
	err = kdump->reader ? read_pages(vmcore, kdump->reader, paddr, buf, size, holes) : kd_error_nomem();
	pthread_mutex_unlock(&kdump->lock);
	return err;
}

static struct kd_error *window_get(struct vmcore_window *window, uint64_t paddr, size_t size, void *buf,
				   const uint8_t **ret)
{
	bool holes;
	struct kd_error *err;

	if (!window->reader)
		window->reader = reader_create(window->vmcore->data);
	if (!window->reader)
		return kd_error_nomem();
	err = read_pages(window->vmcore, window->reader, paddr, buf, size, &holes);
	if (!err)
		*ret = buf;
	return err;
}

struct kd_error *vmcore_kdump_packed(struct vmcore_window *window, uint64_t pfn, void *buf, uint32_t *size_ret,
				     uint32_t *flags_ret)
{
	const struct vmcore *vmcore = window->vmcore;
	const struct kdump *kdump = vmcore->data;
	const struct kd_range *range = find_range(vmcore, pfn * kdump->block_size);
	struct page_desc desc = { 0 };
	struct kd_error *err;

	if (!range || range->start > pfn * kdump->block_size)
		return kd_error_create(KD_ERR_HOLE, "%s does not hold page 0x%lx", vmcore->path, pfn);
	if (!window->reader)
		window->reader = reader_create(kdump);
	if (!window->reader)
		return kd_error_nomem();
	err = find_page(vmcore, window->reader, pfn, range, &desc);
	if (!err)
		err = vmcore_read_file(vmcore, desc.offset, buf, desc.size, "page");
	if (err)
		return err;
	*size_ret = desc.size;
	*flags_ret = desc.flags;
	return NULL;
}

static void window_release(struct vmcore_window *window)
{
	reader_destroy(window->reader);
	window->reader = NULL;
}

const struct vmcore_format vmcore_kdump = {
	.name = "kdump",
	.magic = KDUMP_SIGNATURE,
	.open = open_kdump,
	.close = close_kdump,
	.read = read_kdump,
	.window_get = window_get,
	.window_release = window_release,
};
