/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many threads classify pages as one does. */
#include "base/array.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/kernel/mem_map.h"
#include "dumpfilter/pages/page_scan.h"
#include "dumpfilter/pages/pfn_bitmap.h"
#include "dumpfilter/pages/vital.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

struct marks {
	struct pfn_bitmap kept, boot, slab, late;
	struct page_filter filter;
};

/* In a free block that spans parts. */
static struct vital_range needed[] = { { 2100, 2110, VITAL_IMAGE }, { 2600, 2700, VITAL_LOG } };
static const struct vital some_are_needed = { .range = needed, .count = ARRAY_SIZE(needed) };

static void marks_init(struct marks *marks, unsigned int level, bool poison_only, const struct vital *vital)
{
	struct pfn_bitmap *bitmaps[] = { &marks->kept, &marks->boot, &marks->slab, &marks->late };

	for (size_t i = 0; i < ARRAY_SIZE(bitmaps); i++)
		assert_true(pfn_bitmap_init(bitmaps[i], RAM_PAGES));
	pfn_bitmap_set(&marks->kept, 0, RAM_PAGES);
	marks->filter = (struct page_filter){ .level = level,
					      .poison_only = poison_only,
					      .kept = &marks->kept,
					      .first = &marks->boot,
					      .slab = &marks->slab,
					      .late = &marks->late,
					      .vital = vital };
}

static void assert_same_bits(struct pfn_bitmap *a, struct pfn_bitmap *b)
{
	for (uint64_t word = 0; word < RAM_PAGES / 64; word++)
		assert_int_equal(pfn_bitmap_word(a, word), pfn_bitmap_word(b, word));
	pfn_bitmap_release(a);
	pfn_bitmap_release(b);
}

/* For all sizes of parts and numbers of threads the result equals that of one thread. A huge page and a free block span
 * several parts, and one of their pages is poisoned. */
static void test_page_scan(void **state)
{
	static const unsigned int levels[] = { 0, 1, 8, 31 };
	struct address_space space;
	struct vmcore *vmcore;
	struct machine machine;
	struct vmcoreinfo info;
	struct page_rules rules;

	machine_init(&machine, 4);
	machine_populate(&machine);
	machine_put(&machine, machine_page(2048) + 48, (uint32_t)-129, 4);
	machine_put(&machine, machine_page(2048) + 40, 10, 8);
	machine_put(&machine, machine_page(2500), HWPOISON, 8);
	for (uint64_t pfn = 130; pfn < 1024 && pfn < 192; pfn++)
		machine_put(&machine, machine_page(pfn), 1 << 9, 8); /* slab */
	machine_write(&machine, core);
	assert_no_error(vmcore_open(core, &vmcore));
	info.text = vmcore_vmcoreinfo(vmcore, &info.size);
	assert_no_error(address_space_init(&space, vmcore, &info, NULL));
	assert_no_error(page_rules_init(&rules, &info, NULL));
	for (unsigned int i = 0; i < 4 * ARRAY_SIZE(levels) * 2; i++) {
		unsigned int threads = i % 4 + 1, level = levels[i / 4 % ARRAY_SIZE(levels)];
		const struct vital *vital = i % 2 ? &some_are_needed : NULL;
		uint64_t part = i / 16 ? 64 : 320;
		struct mem_map alone, shared;
		struct marks one, many;

		marks_init(&one, level, level == 1, vital);
		marks_init(&many, level, level == 1, vital);
		assert_no_error(mem_map_init(&alone, &space, RAM_PAGES));
		assert_no_error(mem_map_init(&shared, &space, RAM_PAGES));
		page_filter_run(&one.filter, &rules, &alone);
		page_scan(&many.filter, &rules, &shared, part, threads);
		assert_memory_equal(one.filter.pages, many.filter.pages, sizeof(one.filter.pages));
		assert_int_equal(kd_ranges_total(&alone.frames), kd_ranges_total(&shared.frames));
		assert_int_equal(one.filter.pages[PAGE_HWPOISON], 3);
		if (vital)
			assert_int_equal(pfn_bitmap_count(&many.kept, 2100, 2110) +
						 pfn_bitmap_count(&many.kept, 2600, 2700),
					 110);
		else
			assert_int_equal(one.filter.pages[PAGE_FREE], level == 1 ? 0 : 16 + 1023);
		assert_same_bits(&one.kept, &many.kept);
		assert_same_bits(&one.boot, &many.boot);
		assert_same_bits(&one.slab, &many.slab);
		assert_same_bits(&one.late, &many.late);
		mem_map_release(&alone);
		mem_map_release(&shared);
	}
	address_space_release(&space);
	vmcore_close(vmcore);
	machine_release(&machine);
}

/* A section without struct pages comes first: the classes of the pages behind it do not count for its pages. */
static void test_page_scan_hole(void **state)
{
	const uint64_t section = 32768, first_free = section + 128;
	struct address_space space;
	struct vmcore *vmcore;
	struct machine machine;
	struct vmcoreinfo info;
	struct page_rules rules;

	machine_init(&machine, 4);
	machine_populate(&machine);
	machine_put(&machine, SECTION_0 - STEXT + STEXT_PHYS, 0, 8);
	machine_put(&machine, SECTION_0 - STEXT + STEXT_PHYS + 32, VMEMMAP | 0x3f, 8);
	machine_map(&machine, VMEMMAP + section * 64, MEM_MAP, 2 << 20);
	machine_write(&machine, core);
	assert_no_error(vmcore_open(core, &vmcore));
	info.text = vmcore_vmcoreinfo(vmcore, &info.size);
	assert_no_error(address_space_init(&space, vmcore, &info, NULL));
	assert_no_error(page_rules_init(&rules, &info, NULL));
	for (unsigned int threads = 1; threads <= 4; threads++) {
		struct pfn_bitmap kept;
		struct page_filter filter = { .level = 16, .kept = &kept };
		struct mem_map map;

		assert_true(pfn_bitmap_init(&kept, first_free + 16));
		pfn_bitmap_set(&kept, 0, first_free + 16);
		assert_no_error(mem_map_init(&map, &space, first_free + 16));
		page_scan(&filter, &rules, &map, 4096, threads);
		assert_int_equal(filter.pages[PAGE_FREE], 16);
		assert_int_equal(pfn_bitmap_count(&kept, 0, section), section);
		assert_int_equal(pfn_bitmap_count(&kept, first_free, first_free + 16), 0);
		/* The first part alone: it has none of them. */
		filter = (struct page_filter){ .level = 16, .kept = &kept };
		pfn_bitmap_move(&kept, 0, 4096);
		pfn_bitmap_set(&kept, 0, 4096);
		page_filter_run(&filter, &rules, &map);
		assert_int_equal(pfn_bitmap_count(&kept, 0, 4096), 4096);
		assert_int_equal(filter.run.end, 0);
		pfn_bitmap_release(&kept);
		mem_map_release(&map);
	}
	address_space_release(&space);
	vmcore_close(vmcore);
	machine_release(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page_scan),
		cmocka_unit_test(test_page_scan_hole),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
