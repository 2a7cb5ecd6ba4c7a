/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys that VMCOREINFO lacks, made from the symbols and types in the dump. */
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/names/btf.h"
#include "dumpfilter/names/dump_names.h"
#include "dumpfilter/names/vmcoreinfo_make.h"
#include "tests/unit/dumpfilter/debuginfo-testing.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

static void test_make(void **state)
{
	static const char have_text[] = "SIZE(page)=64\nNUMBER(PG_lru)=5\n";
	static const char expected[] = "SYMBOL(init_uts_ns)=ffffffff81080000\n"
				       "SYMBOL(_stext)=ffffffff81000000\n"
				       "SYMBOL(mem_section)=ffffffff811a0030\n"
				       "SIZE(zone)=1536\n"
				       "SIZE(free_area)=88\n"
				       "SIZE(list_head)=16\n"
				       "SIZE(mem_section)=32\n"
				       "OFFSET(mem_section.section_mem_map)=0\n"
				       "OFFSET(page.flags)=0\n"
				       "OFFSET(page.mapping)=24\n"
				       "OFFSET(page._mapcount)=48\n"
				       "OFFSET(page.private)=40\n"
				       "OFFSET(page.compound_head)=8\n"
				       "OFFSET(zone.free_area)=256\n"
				       "OFFSET(list_head.next)=0\n"
				       "OFFSET(list_head.prev)=8\n"
				       "LENGTH(zone.free_area)=11\n"
				       "NUMBER(PG_private)=13\n"
				       "NUMBER(PG_slab)=9\n"
				       "NUMBER(PG_hwpoison)=23\n"
				       "NUMBER(PG_head_mask)=65536\n"
				       "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\n"
				       "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257\n";
	const struct vmcoreinfo have = { have_text, sizeof(have_text) - 1 };
	struct dump_names names;
	struct opened opened;
	char *text;

	machine_init(&opened.machine, 4);
	machine_add_kernel_names(&opened.machine);
	assert_no_error(open_machine(&opened));
	assert_no_error(dump_names_open(&names, &opened.space));
	assert_no_error(vmcoreinfo_make(&names.info, &have, &text));
	assert_string_equal(text, expected);
	free(text);
	dump_names_release(&names);
	close_machine(&opened);
	machine_release(&opened.machine);

	text = vmcoreinfo_join("A=1\nB=2\n", &(struct vmcoreinfo){ "B=3\n\0\0", 6 });
	assert_string_equal(text, "A=1\nB=2\nB=3\n");
	free(text);
}

/* Page types are an enumeration since 6.10, and a byte of their own since 6.12. */
static void test_make_page_types(void **state)
{
	static const struct {
		const char *enumerator;
		uint32_t value;
		const char *expected;
	} cases[] = {
		{ "PGTY_slab", 0xf5, "NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376\n" },
		{ "PG_slab", 0x1000, "NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-4097\n" },
		{ "PGTY_unaccepted", 0xf8, "NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)=-134217728\n" },
		{ "PG_buddy", 0x80, "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct debuginfo info = { .types = &btf_types, .symbols = &kallsyms_symbols };
		const struct vmcoreinfo none = { 0 };
		struct machine machine;
		struct opened opened;
		struct kallsyms *kallsyms;
		struct btf_builder b;
		struct btf *btf;
		size_t size;
		char *text;

		machine_init(&machine, 4);
		machine_kallsyms(&machine, (struct test_symbol[]){ { "T_stext", STEXT } }, 1, RULE_BASE_RELATIVE);
		opened.machine = machine;
		assert_no_error(open_machine(&opened));
		assert_no_error(kallsyms_open(&opened.space, &kallsyms));
		btf_begin(&b, 0, 0);
		btf_type(&b, "pagetype", KIND_ENUM, 1, 4);
		btf_words(&b, btf_string(&b, cases[i].enumerator), cases[i].value, 0, 2);
		btf_type(&b, "pageflags", KIND_ENUM, 0, 4);
		uint8_t *data = btf_finish(&b, &size);
		assert_no_error(btf_parse(data, size, NULL, &btf));
		info.types_data = btf;
		info.symbols_data = kallsyms;
		assert_no_error(vmcoreinfo_make(&info, &none, &text));
		assert_string_equal(strchr(text, '\n') + 1, cases[i].expected);
		free(text);
		btf_destroy(btf);
		kallsyms_close(kallsyms);
		close_machine(&opened);
		machine_release(&machine);
	}
}

/* A dump whose VMCOREINFO lacks keys is filtered like one that has them. */
static void test_learn(void **state)
{
	static const char *const forgotten[] = {
		"SIZE(page)",        "OFFSET(page.",           "NUMBER(PG_lru)",      "NUMBER(PG_slab)",
		"NUMBER(PAGE_BUDDY", "LENGTH(zone.free_area)", "SYMBOL(mem_section)", "LENGTH(mem_section)",
		"SIZE(mem_section)", "OFFSET(mem_section",
	};
	struct dumpfilter_options options = { .level = 31 };
	struct dumpfilter_report whole = { 0 }, report = { 0 };
	struct machine machine;

	for (unsigned int levels = 4; levels <= 5; levels++) {
		machine_init(&machine, levels);
		machine_add_kernel_names(&machine);
		/* Cache, free memory, user memory. */
		machine_put(&machine, machine_page(100), 1 << 4, 8);
		machine_put(&machine, machine_page(128) + 48, (uint32_t)-129, 4);
		machine_put(&machine, machine_page(128) + 40, 4, 8);
		machine_put(&machine, machine_page(200) + 24, 1, 8);
		machine_write(&machine, core);
		assert_no_error(dumpfilter_run(core, dump, &options, &whole));
		unlink(dump);
		assert_int_equal(whole.pages[PAGE_CACHE], 1);
		assert_int_equal(whole.pages[PAGE_FREE], 16);
		assert_int_equal(whole.pages[PAGE_USER], 1);
		for (size_t i = 0; i < ARRAY_SIZE(forgotten); i++)
			machine_forget(&machine, forgotten[i]);
		machine_write(&machine, core);
		assert_no_error(dumpfilter_run(core, dump, &options, &report));
		unlink(dump);
		assert_false(report.unfiltered);
		assert_memory_equal(report.pages, whole.pages, sizeof(whole.pages));
		/* … and without its own names it keeps everything. */
		machine_forget(&machine, "SYMBOL(kallsyms_names)");
		machine_write(&machine, core);
		assert_no_error(dumpfilter_run(core, dump, &options, &report));
		unlink(dump);
		assert_true(report.unfiltered);
		machine_release(&machine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_make_page_types),
		cmocka_unit_test(test_learn),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
