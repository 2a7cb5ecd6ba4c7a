/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/pages/page_order.h"

#include <elf.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/elf64.h"
#include "dumpfilter/kernel/arch.h"
#include "dumpfilter/kernel/page_table.h"
#include "dumpfilter/kernel/vmcoreinfo.h"
#include "dumpfilter/vmcore/vmcore.h"

/* Bytes of a bitmap: 128 GiB of RAM in pages of 4 KiB. */
#define BITMAP_MAX (UINT64_C(4) << 20)
/* The unit in which a bitmap's memory is used when few of its bits are set. */
#define HOST_PAGE UINT64_C(4096)
/* Bytes of a bitmap that the kernel image takes. */
#define IMAGE_MEMORY (UINT64_C(64) << 10)
/* No kernel's image is larger, whatever the headers say. */
#define IMAGE_MAX (UINT64_C(1) << 30)
/* Entries of page tables that are looked at for modules, who have 2 GiB at most: VMCOREINFO may be wrong about that. */
#define LOOKS_MAX (1u << 19)
/* As much as a call takes before the address that it returns to. */
#define CALL_SIZE 8u

const struct page_phase_passes page_phases[PHASE_COUNT] = {
	[PHASE_FRONT] = { PASS_BASIC, PASS_OTHERS },
	[PHASE_OTHERS] = { PASS_OTHERS, PASS_LATE },
	[PHASE_LATE] = { PASS_LATE, PASS_COUNT },
};

enum page_order_kind page_order_affordable(uint64_t end_pfn)
{
	return end_pfn / 8 > BITMAP_MAX ? PAGE_ORDER_COARSE : PAGE_ORDER_FINE;
}

/* Bytes of a bitmap in which these are set. */
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

uint64_t page_order_memory(enum page_order_kind kind, uint64_t pages, const struct kd_ranges *walked,
			   uint64_t page_size)
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

/* --- what the kernel's symbols tell ------------------------------------------------------------------------------- */

/* Pages of which no byte is outside. */
static struct kd_range whole_pages(uint64_t page_size, uint64_t start, uint64_t end)
{
	struct kd_range range = { (start + page_size - 1) & ~(page_size - 1), end & ~(page_size - 1) };

	return range.start < range.end ? range : (struct kd_range){ 0 };
}

static struct kd_range find_symbols(const struct address_space *space)
{
	static const char *const keys[] = { "kallsyms_names", "kallsyms_offsets", "kallsyms_token_table",
					    "kallsyms_token_index" };
	struct kd_range range = { UINT64_MAX, 0 };
	uint64_t vaddr;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!vmcoreinfo_symbol(space->info, keys[i], &vaddr))
			continue;
		range.start = vaddr < range.start ? vaddr : range.start;
		range.end = vaddr > range.end ? vaddr : range.end;
	}
	return range.start < range.end ? whole_pages(space->page_size, range.start, range.end) : (struct kd_range){ 0 };
}

/* Where pointers to slab caches are: those of tasks and of structs that the list of tasks leads through. Some are
 * members of larger structs, whose other words name no slab. */
static const struct {
	enum landmark symbol;
	unsigned int count;
} cache_pointers[] = {
	{ LANDMARK_TASK_CACHE, 1 },  { LANDMARK_MM_CACHE, 1 }, { LANDMARK_NODE_CACHE, 1 }, /* nodes of xarrays */
	{ LANDMARK_CACHE_CACHE, 1 },                                                       /* the caches themselves */
	{ LANDMARK_FIRST_PIDS, 32 },                                                       /* of struct pid */
	{ LANDMARK_PIDS_CACHE, 32 }, /* of struct pid in containers */
};

static void add_caches(struct page_order *order, struct address_space *space, uint64_t vaddr, unsigned int count)
{
	uint64_t pointer;

	for (unsigned int i = 0; i < count && order->cache_count < ARRAY_SIZE(order->cache); i++) {
		struct kd_error *err = address_space_read_u64(space, vaddr + i * sizeof(pointer), &pointer);

		if (err)
			kd_error_destroy(err);
		else if (pointer >> space->paging.kernel_bit & 1)
			order->cache[order->cache_count++] = pointer;
	}
}

void page_order_learn(struct page_order *order, struct address_space *space, const struct landmarks *landmarks)
{
	const uint64_t page_size = space->page_size;
	const struct kd_range types = landmarks_range(landmarks, LANDMARK_TYPES, LANDMARK_TYPES_END);
	const struct kd_range scheduler = landmarks_range(landmarks, LANDMARK_SCHEDULER, LANDMARK_SCHEDULER_END);

	order->symbols = find_symbols(space);
	order->types = whole_pages(page_size, types.start, types.end);
	order->scheduler = (struct kd_range){ scheduler.start & ~(page_size - 1),
					      (scheduler.end + page_size - 1) & ~(page_size - 1) };
	for (size_t i = 0; i < ARRAY_SIZE(cache_pointers); i++)
		if (landmarks->vaddr[cache_pointers[i].symbol])
			add_caches(order, space, landmarks->vaddr[cache_pointers[i].symbol], cache_pointers[i].count);
}

/* --- putting pages to where they belong --------------------------------------------------------------------------- */

static void put_in_pass(struct page_order *order, enum page_pass pass, uint64_t page_size, uint64_t start, uint64_t end)
{
	if (start >= end)
		return;
	for (unsigned int i = 0; i < pass; i++)
		pfn_bitmap_clear(&order->pass[i], start / page_size, (end - 1) / page_size + 1);
	if (pass != PASS_OTHERS)
		pfn_bitmap_set(&order->pass[pass], start / page_size, (end - 1) / page_size + 1);
}

/* Does @range have @vaddr? From it on, *@size bytes are of interest, and are cut to those that @range has all or none
 * of. */
static bool cut_to(const struct kd_range *range, uint64_t vaddr, uint64_t *size)
{
	bool inside = vaddr >= range->start && vaddr < range->end;
	uint64_t end = inside ? range->end : range->start;

	if (end > vaddr && end - vaddr < *size)
		*size = end - vaddr;
	return inside;
}

static enum page_pass image_pass(const struct page_order *order, struct address_space *space, bool readable,
				 uint64_t vaddr, uint64_t *size_ret)
{
	enum page_rights rights = PAGE_WRITABLE;
	bool unneeded, scheduler;

	*size_ret = space->page_size;
	if (readable && space->paging.levels)
		rights = page_table_rights(space, vaddr, size_ret);
	/* Both are asked always, since each may shorten the piece. */
	unneeded = cut_to(&order->symbols, vaddr, size_ret);
	unneeded = cut_to(&order->types, vaddr, size_ret) || unneeded;
	scheduler = cut_to(&order->scheduler, vaddr, size_ret);
	switch (rights) {
	case PAGE_WRITABLE:
		break;
	case PAGE_READ_ONLY:
		return unneeded ? PASS_OTHERS : PASS_BASIC;
	case PAGE_CODE:
		return scheduler ? PASS_BASIC : PASS_CODE;
	}
	return PASS_BASIC;
}

/* Everything in boot memory was marked as basic by the filter, the image too. */
static void mark_image(struct page_order *order, struct address_space *space, bool readable,
		       const struct vmcore_segment *segment, uint64_t total)
{
	for (uint64_t done = 0, size; done < total; done += size) {
		enum page_pass pass = image_pass(order, space, readable, segment->vaddr + done, &size);

		if (size > total - done)
			size = total - done;
		put_in_pass(order, pass, space->page_size, segment->paddr + done, segment->paddr + done + size);
	}
}

/* Modules: their list leads through their own memory, and their code is nowhere else. */
static void mark_modules(struct page_order *order, struct address_space *space)
{
	const struct kd_range *modules = &space->paging.modules;
	unsigned int looks = 0;

	for (uint64_t vaddr = modules->start, paddr, size; vaddr < modules->end && looks < LOOKS_MAX; vaddr += size) {
		bool mapped = page_table_look(space, vaddr, &paddr, &size);

		looks++;
		if (size > modules->end - vaddr)
			size = modules->end - vaddr;
		if (mapped)
			put_in_pass(order, PASS_BASIC, space->page_size, paddr, paddr + size);
	}
}

/* Each of these words that points to code of the image: debuggers look at what lies before a return address. */
static void mark_code_at(struct page_order *order, struct address_space *space, const void *words, size_t size)
{
	const struct paging *paging = &space->paging;
	uint64_t vaddr, paddr, left;

	for (size_t offset = 0; offset + sizeof(vaddr) <= size; offset += sizeof(vaddr)) {
		memcpy(&vaddr, (const uint8_t *)words + offset, sizeof(vaddr));
		if (vaddr < paging->image_base || vaddr - paging->image_base >= paging->image_size ||
		    page_table_rights(space, vaddr, &left) != PAGE_CODE)
			continue;
		_cleanup_(kd_error_destroy) struct kd_error *err = address_space_translate(space, vaddr, &paddr, &left);
		if (!err && paddr >= CALL_SIZE)
			put_in_pass(order, PASS_BASIC, space->page_size, paddr - CALL_SIZE, paddr + 1);
	}
}

static void mark_stack(struct page_order *order, struct address_space *space, uint64_t vaddr)
{
	uint8_t page[PAGE_SIZE_MIN];

	for (uint64_t offset = 0; offset < ADDRESS_SPACE_STACK; offset += sizeof(page)) {
		_cleanup_(kd_error_destroy) struct kd_error *err = address_space_read(space, vaddr + offset, page,
										      sizeof(page));
		if (!err)
			mark_code_at(order, space, page, sizeof(page));
	}
}

/* The code that the CPUs were in, by their registers and their stacks. */
static void mark_cpus(struct page_order *order, struct address_space *space)
{
	struct kd_elf64_note note;
	size_t size, offset = 0;
	const void *notes = vmcore_notes(space->vmcore, &size);
	uint64_t pointer;

	while (kd_elf64_next_note(notes, size, &offset, &note)) {
		if (!kd_elf64_note_is(&note, "CORE") || note.type != NT_PRSTATUS ||
		    !space->arch->stack_pointer(&note, &pointer))
			continue;
		mark_code_at(order, space, note.desc, note.desc_size);
		mark_stack(order, space, pointer & ~(ADDRESS_SPACE_STACK - 1));
	}
}

void page_order_mark(struct page_order *order, struct address_space *space, bool readable,
		     const struct kd_ranges *walked)
{
	const struct paging *paging = &space->paging;
	uint64_t start = order->pass[PASS_BASIC].start_pfn * space->page_size;
	uint64_t end = order->pass[PASS_BASIC].end_pfn * space->page_size;
	uint64_t left = IMAGE_MAX; /* in pieces, after -E */
	size_t count;
	const struct vmcore_segment *segment = vmcore_segments(space->vmcore, &count);

	for (size_t i = 0; i < count; i++) {
		uint64_t total = segment[i].memory_size < left ? segment[i].memory_size : left;

		if (segment[i].vaddr < paging->image_base ||
		    segment[i].vaddr - paging->image_base >= paging->image_size || segment[i].paddr >= end ||
		    segment[i].paddr + segment[i].memory_size <= start)
			continue;
		mark_image(order, space, readable, &segment[i], total);
		left -= total;
	}
	if (readable) {
		mark_modules(order, space);
		mark_cpus(order, space);
	}
	for (size_t i = 0; i < walked->count; i++)
		put_in_pass(order, PASS_BASIC, space->page_size, walked->range[i].start, walked->range[i].end);
}
