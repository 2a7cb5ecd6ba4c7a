/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table, the chart and the JSON of --mem-usage. */
#include <elf.h>
#include <stdio.h>

#include "base/elf64.h"
#include "dumpfilter/cli/mem_usage.h"
#include "dumpfilter/dumpfilter.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

/* --mem-usage on a running machine, whose /proc/kcore has mappings beside memory. */
static void test_mem_usage(void **state)
{
	static const uint64_t nowhere = UINT64_MAX;
	struct dumpfilter_options options = { .level = 31 };
	struct dumpfilter_report report;
	struct machine machine;
	Elf64_Ehdr ehdr;
	char text[4096];

	machine_init(&machine, 4);
	machine_put(&machine, machine_page(100), 1 << 4, 8);
	machine_put(&machine, machine_page(2048) + 48, (uint32_t)-129, 4);
	machine_put(&machine, machine_page(2048) + 40, 10, 8);
	machine_write(&machine, core);
	/* One more PT_LOAD, behind the other two. */
	kd_elf64_core_header(&ehdr, EM_X86_64, 4);
	patch_file(core, 0, &ehdr, sizeof(ehdr));
	Elf64_Phdr phdr = { .p_type = PT_LOAD, .p_paddr = nowhere, .p_memsz = 1 << 30, .p_filesz = 1 << 30 };
	patch_file(core, sizeof(ehdr) + 3 * sizeof(phdr), &phdr, sizeof(phdr));
	assert_no_error(dumpfilter_census(core, &options, &report));
	assert_false(report.unfiltered);
	assert_int_equal(report.pages[PAGE_CACHE], 1);
	assert_int_equal(report.pages[PAGE_FREE], 1024);
	assert_int_equal(report.pages[PAGE_KEEP], RAM_PAGES - 1025);
	for (enum mem_usage_style style = MEM_USAGE_TABLE; style <= MEM_USAGE_JSON; style++) {
		FILE *out = fmemopen(memset(text, 0, sizeof(text)), sizeof(text), "w");

		assert_non_null(out);
		mem_usage_print(out, &report, style);
		fclose(out);
		if (style == MEM_USAGE_JSON) {
			assert_non_null(strstr(text, "\"total\": 6144"));
			assert_non_null(strstr(text, "\"free\": 1024"));
			continue;
		}
		assert_non_null(strstr(text, "free                  1024        4.0  16.7%  16  "));
		assert_non_null(strstr(text, "all                   6144       24.0\n"));
		/* 7 of 40: 16.7 percent. */
		assert_int_equal(strstr(text, "16  ███████ ") != NULL, style == MEM_USAGE_CHART);
	}
	machine_release(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mem_usage),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
