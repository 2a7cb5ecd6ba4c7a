/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/page_order.h"

#include "base/array.h"
#include "dumpfilter/page_table.h"
#include "dumpfilter/vmcore.h"
#include "dumpfilter/vmcoreinfo.h"

/* Bytes of a bitmap: 128 GiB of RAM in pages of 4 KiB. */
#define BITMAP_MAX (UINT64_C(4) << 20)
/* What a bitmap's memory comes in when little of it is used. */
#define HOST_PAGE UINT64_C(4096)
/* Of a bitmap, for the kernel image. */
#define IMAGE_MEMORY (UINT64_C(64) << 10)
/* No kernel's image is larger, whatever the headers say. */
#define IMAGE_MAX (UINT64_C(1) << 30)

const struct page_phase_passes page_phases[PHASE_COUNT] = {
	[PHASE_FRONT] = { PASS_BASIC, PASS_OTHERS },
	[PHASE_OTHERS] = { PASS_OTHERS, PASS_LATE },
	[PHASE_LATE] = { PASS_LATE, PASS_COUNT },
};

enum page_order_kind page_order_affordable(uint64_t end_pfn)
{
	return end_pfn / 8 > BITMAP_MAX ? PAGE_ORDER_COARSE : PAGE_ORDER_FINE;
}

/* Of a bitmap in which these are set. */
static uint64_t sparse_memory(const struct kd_ranges *ranges, uint64_t page_size)
{
	uint64_t piece = HOST_PAGE * 8 * page_size, next = 0, count = 0;

	for (size_t i = 0; i < ranges->count; i++) {
		uint64_t first = ranges->range[i].start / piece, end = (ranges->range[i].end - 1) / piece + 1;

		if (first < next)
			first = next;
		if (first < end)
			count += end - first;
		next = end > next ? end : next;
	}
	return count * HOST_PAGE;
}

uint64_t page_order_memory(enum page_order_kind kind, uint64_t pages, const struct kd_ranges *walked, uint64_t page_size)
{
	uint64_t full = (PASS_COUNT - 1) * pfn_bitmap_memory(pages), sparse;

	if (kind != PAGE_ORDER_COARSE)
		return kind == PAGE_ORDER_FINE ? full : 0;
	/* Taken out of it again are the struct pages, 1/64 of memory. */
	sparse = sparse_memory(walked, page_size) + pfn_bitmap_memory(pages) / 64 + PASS_COUNT * IMAGE_MEMORY;
	return sparse < full ? sparse : full;
}

bool page_order_init(struct page_order *order, enum page_order_kind kind, uint64_t end_pfn)
{
	bool good = true;

	*order = (struct page_order){ .kind = kind };
	for (size_t i = 0; i < PASS_COUNT && good; i++) {
		if (i == PASS_OTHERS)
			continue;
		good = pfn_bitmap_init(&order->pass[i], kind == PAGE_ORDER_NONE ? 0 : end_pfn);
		if (kind == PAGE_ORDER_COARSE)
			pfn_bitmap_expect_few(&order->pass[i]);
	}
	return good;
}

void page_order_move(struct page_order *order, uint64_t start_pfn, uint64_t end_pfn)
{
	for (size_t i = 0; i < PASS_COUNT && order->kind != PAGE_ORDER_NONE; i++)
		if (i != PASS_OTHERS)
			pfn_bitmap_move(&order->pass[i], start_pfn, end_pfn);
}

void page_order_release(struct page_order *order)
{
	for (size_t i = 0; i < PASS_COUNT; i++)
		pfn_bitmap_release(&order->pass[i]);
}

static void put_in_pass(struct page_order *order, enum page_pass pass, uint64_t page_size, uint64_t start,
			uint64_t end)
{
	if (start >= end)
		return;
	for (unsigned int i = 0; i < pass; i++)
		pfn_bitmap_clear(&order->pass[i], start / page_size, (end - 1) / page_size + 1);
	if (pass != PASS_OTHERS)
		pfn_bitmap_set(&order->pass[pass], start / page_size, (end - 1) / page_size + 1);
}

/* Where the image's own table of symbols lies, which is large, and which debuggers have from elsewhere; an empty range
 * if that is not known. */
static struct kd_range find_symbols(const struct vmcoreinfo *info)
{
	static const char *const keys[] = { "kallsyms_names", "kallsyms_offsets", "kallsyms_token_table",
					    "kallsyms_token_index" };
	struct kd_range range = { UINT64_MAX, 0 };
	uint64_t vaddr;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!vmcoreinfo_symbol(info, keys[i], &vaddr))
			continue;
		range.start = vaddr < range.start ? vaddr : range.start;
		range.end = vaddr > range.end ? vaddr : range.end;
	}
	return range;
}

static enum page_pass image_pass(struct address_space *space, bool readable, const struct kd_range *symbols,
				 uint64_t vaddr, uint64_t *size_ret)
{
	enum page_rights rights = PAGE_WRITABLE;

	*size_ret = space->page_size;
	if (readable && space->paging.levels)
		rights = page_table_rights(space, vaddr, size_ret);
	if (rights == PAGE_WRITABLE)
		return PASS_BASIC;
	if (*size_ret > space->page_size && vaddr < symbols->end)
		*size_ret = space->page_size; /* so that the symbols' ends are met */
	if (vaddr >= symbols->start && vaddr < symbols->end)
		return PASS_OTHERS;
	return rights == PAGE_CODE ? PASS_CODE : PASS_READ_ONLY;
}

/* Everything in boot memory was marked as basic by the filter, the image too. */
static void mark_image(struct page_order *order, struct address_space *space, bool readable,
		       const struct vmcore_segment *segment, uint64_t total)
{
	const struct kd_range symbols = find_symbols(space->info);

	for (uint64_t done = 0, size; done < total; done += size) {
		enum page_pass pass = image_pass(space, readable, &symbols, segment->vaddr + done, &size);

		if (size > total - done)
			size = total - done;
		put_in_pass(order, pass, space->page_size, segment->paddr + done, segment->paddr + done + size);
	}
}

void page_order_mark(struct page_order *order, struct address_space *space, bool readable, const struct kd_ranges *walked)
{
	const struct paging *paging = &space->paging;
	uint64_t start = order->pass[PASS_BASIC].start_pfn * space->page_size;
	uint64_t end = order->pass[PASS_BASIC].end_pfn * space->page_size;
	uint64_t left = IMAGE_MAX; /* in pieces, after -E */
	size_t count;
	const struct vmcore_segment *segment = vmcore_segments(space->vmcore, &count);

	for (size_t i = 0; i < count; i++) {
		uint64_t total = segment[i].memory_size < left ? segment[i].memory_size : left;

		if (segment[i].vaddr < paging->image_base || segment[i].vaddr - paging->image_base >= paging->image_size ||
		    segment[i].paddr >= end || segment[i].paddr + segment[i].memory_size <= start)
			continue;
		mark_image(order, space, readable, &segment[i], total);
		left -= total;
	}
	for (size_t i = 0; i < walked->count; i++)
		put_in_pass(order, PASS_BASIC, space->page_size, walked->range[i].start, walked->range[i].end);
}
