/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The size of a dump, estimated from a sample. */
#include <unistd.h>

#include "base/cleanup.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/estimate.h"
#include "dumpfilter/pages/pfn_bitmap.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "dumpfilter/write/page_share.h"
#include "dumpfilter/write/pipeline.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

static void test_estimate(void **state)
{
	struct dumpfilter_options options = { .level = 31, .codec = &codec_zlib, .threads = 1 };
	struct dumpfilter_estimate estimate, more;
	struct dumpfilter_report report;
	struct machine machine;

	machine_init(&machine, 4);
	machine_populate(&machine);
	for (uint64_t pfn = 2048; pfn < RAM_PAGES; pfn++) /* none alike, that nothing be shared */
		if (pfn < STEXT_PHYS / 4096 || pfn > STEXT_PHYS / 4096 + 512)
			machine_put(&machine, pfn * 4096 + 4000, pfn << 20 | 1, 8);
	machine_write(&machine, core);
	assert_no_error(dumpfilter_estimate(core, &options, &estimate));
	assert_int_equal(access(dump, F_OK), -1);
	assert_no_error(dumpfilter_run(core, dump, &options, &report));
	assert_int_equal(estimate.pages, RAM_PAGES - 533);
	/* So few pages are all in the sample; but which ones of the table's slots are wanted twice is a matter of
	 * chance. */
	assert_in_range(estimate.size, report.bytes_written * 995 / 1000, report.bytes_written * 1005 / 1000);
	options.threads = 5;
	assert_no_error(dumpfilter_estimate(core, &options, &more));
	assert_in_range(more.memory, estimate.memory, UINT64_C(1) << 32);
	unlink(dump);
	machine_release(&machine);
}

/* Pages that compress more or less well, zeros, and every third one equal to one far before it. */
static void populate_varied(struct machine *machine)
{
	uint32_t value = 1;

	for (uint64_t pfn = 1200; pfn < RAM_PAGES; pfn++) {
		uint64_t first = pfn % 37 * 100;

		if (pfn == 4000)
			pfn = 4700; /* behind the image and the page tables */
		for (uint64_t i = first; i < 4096; i++)
			machine->ram[pfn * 4096 + i] = (uint8_t)((value = value * 1664525 + 1013904223) >> 24);
		if (pfn % 3 == 0)
			memcpy(machine->ram + pfn * 4096, machine->ram + (pfn - 900) * 4096, 4096);
		else if (pfn % 7 == 0)
			memset(machine->ram + pfn * 4096, 0, 4096);
	}
}

/* With @window page frames at a time. */
static struct estimate run_estimate(const struct vmcore *vmcore, struct estimate estimate, uint64_t window)
{
	_cleanup_(page_share_destroy) struct page_share *share = page_share_create(4096, PAGE_SHARE_BYTES_MIN);
	_cleanup_(pfn_bitmap_release) struct pfn_bitmap kept = { 0 };
	struct pipeline pipeline = { .vmcore = vmcore,
				     .page_size = 4096,
				     .kept = &kept,
				     .codec = &codec_zlib,
				     .threads = 1,
				     .share_zero_pages = true,
				     .share = share };

	assert_non_null(share);
	assert_true(pfn_bitmap_init(&kept, window));
	for (unsigned int i = 1; i < PIPELINE_PASSES; i++)
		pipeline.pass[i] = &kept;
	for (uint64_t start = 0; start < RAM_PAGES; start += window) {
		pfn_bitmap_move(&kept, start, start + window);
		pfn_bitmap_set(&kept, start, start + window);
		assert_no_error(estimate_run(&estimate, &pipeline, &kept));
	}
	return estimate;
}

/* The estimate compresses few pages, and reads few of a large dump; the result is about the same. */
static void test_estimate_sample(void **state)
{
	struct estimate plan, exact, sampled, stretches;
	_cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
	struct machine machine;
	uint64_t size;

	machine_init(&machine, 4);
	populate_varied(&machine);
	machine_write(&machine, core);
	assert_no_error(vmcore_open(core, &vmcore));

	estimate_init(&plan, RAM_PAGES, 4096);
	exact = run_estimate(vmcore, plan, RAM_PAGES);
	size = estimate_size(&exact);
	assert_int_equal(exact.read, RAM_PAGES);
	assert_int_equal(exact.count, exact.stored);
	assert_in_range(exact.stored, 2000, 3000);
	assert_int_equal(size, exact.sum);

	exact = run_estimate(vmcore, plan, RAM_PAGES / 4);
	assert_int_equal(exact.read, RAM_PAGES);
	assert_int_equal(exact.count, exact.stored);
	assert_in_range(estimate_size(&exact), size * 99 / 100, size * 101 / 100);

	plan.sample = 8;
	sampled = run_estimate(vmcore, plan, RAM_PAGES);
	assert_int_equal(sampled.read, RAM_PAGES);
	assert_in_range(sampled.stored, exact.stored - 20, exact.stored + 20);
	assert_in_range(sampled.count, sampled.stored / 8, sampled.stored / 8 + 1);
	assert_in_range(estimate_size(&sampled), size * 98 / 100, size * 110 / 100);

	plan.sample = 2;
	plan.stretch = 512;
	plan.stride = 3;
	stretches = run_estimate(vmcore, plan, RAM_PAGES);
	assert_in_range(stretches.read, RAM_PAGES / 3, RAM_PAGES / 3 + 512);
	assert_int_equal(stretches.passed, RAM_PAGES);
	/* Their equals are further away than a stretch is long. */
	assert_in_range(estimate_size(&stretches), size, size * 17 / 10);

	estimate_init(&plan, UINT64_C(1) << 28, 4096); /* 1 TiB */
	assert_int_equal(plan.stride, 64);
	assert_int_equal(plan.stretch, 1 << 18);
	machine_release(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_estimate),
		cmocka_unit_test(test_estimate_sample),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
