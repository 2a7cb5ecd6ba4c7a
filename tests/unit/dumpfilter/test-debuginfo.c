/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of the crashed kernel: BTF, kallsyms. */
#include <elf.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/names/btf.h"
#include "dumpfilter/names/dump_names.h"
#include "dumpfilter/names/kallsyms.h"
#include "dumpfilter/names/module_names.h"
#include "dumpfilter/names/vmcoreinfo_make.h"
#include "dumpfilter/names/vmlinux.h"
#include "tests/unit/dumpfilter/debuginfo-testing.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

static char dir[TEMPORARY_SIZE], core[96];

static int make_dir(void **state)
{
	temporary_make(dir);
	snprintf(core, sizeof(core), "%s/vmcore", dir);
	return 0;
}

static int remove_dir(void **state)
{
	temporary_remove(dir);
	return 0;
}

struct opened {
	struct machine machine;
	struct vmcore *vmcore;
	struct vmcoreinfo info;
	struct address_space space;
};

static void open_machine(struct opened *opened)
{
	machine_write(&opened->machine, core);
	assert_no_error(vmcore_open(core, &opened->vmcore));
	opened->info.text = vmcore_vmcoreinfo(opened->vmcore, &opened->info.size);
	assert_no_error(address_space_init(&opened->space, opened->vmcore, &opened->info, NULL));
}

static void close_machine(struct opened *opened)
{
	address_space_release(&opened->space);
	vmcore_close(opened->vmcore);
}

/* BTF */

/* struct inner { int a; union { long b; struct { char c[3][4]; }; }; int bits : 3; int : 0; enum color e; };
 * struct outer { struct inner in; inner_t *p; }, with typedefs and qualifiers in between. */
static uint8_t *sample(size_t *size_ret, uint32_t *types_ret, uint32_t *strings_ret)
{
	struct btf_builder b;
	uint32_t integer, character, row, rows, nested, either, color, inner, constant, alias, pointer, huge;

	btf_begin(&b, 0, 0);
	integer = btf_type(&b, "int", KIND_INT, 0, 4);
	btf_words(&b, 32, 0, 0, 1);
	character = btf_type(&b, "char", KIND_INT, 0, 1);
	btf_words(&b, 8, 0, 0, 1);
	row = btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, character, integer, 4, 3);
	rows = btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, row, integer, 3, 3);
	nested = btf_type(&b, NULL, KIND_STRUCT, 1, 12);
	btf_member(&b, "c", rows, 0);
	either = btf_type(&b, NULL, KIND_UNION, 2, 16);
	btf_member(&b, "b", integer, 0);
	btf_member(&b, NULL, nested, 0);
	color = btf_type(&b, "color", KIND_ENUM, 2, 4);
	btf_words(&b, btf_string(&b, "RED"), 7, 0, 2);
	btf_words(&b, btf_string(&b, "DEBT"), (uint32_t)-2, 0, 2);
	btf_type(&b, "inner", KIND_FWD, 0, 0);
	inner = btf_type(&b, "inner", KIND_STRUCT | KIND_FLAG, 4, 32);
	btf_member(&b, "a", integer, 0);
	btf_member(&b, NULL, either, 64);
	btf_member(&b, "bits", integer, 3 << 24 | 192);
	btf_member(&b, "e", color, 224);
	constant = btf_type(&b, NULL, KIND_CONST, 0, inner);
	alias = btf_type(&b, "inner_t", KIND_TYPEDEF, 0, constant);
	pointer = btf_type(&b, NULL, KIND_PTR, 0, alias);
	btf_type(&b, "outer", KIND_STRUCT, 2, 40);
	btf_member(&b, "in", alias, 0);
	btf_member(&b, "p", pointer, 256);
	btf_type(&b, "a_var", KIND_VAR, 0, pointer);
	btf_words(&b, 0, 0, 0, 1);
	huge = btf_type(&b, "huge", KIND_ENUM64, 1, 8);
	btf_words(&b, btf_string(&b, "VAST"), 1, 2, 3);
	assert_int_equal(huge, b.types);
	*types_ret = b.types;
	*strings_ret = b.strings_size;
	return btf_finish(&b, size_ret);
}

static void test_btf(void **state)
{
	uint32_t types, strings, own;
	struct btf_builder split;
	struct btf *btf, *module;
	struct type_member member = { 0 };
	struct type type;
	uint64_t bytes;
	int64_t number;
	type_id id;
	size_t size;
	uint8_t *data = sample(&size, &types, &strings);

	assert_no_error(btf_parse(data, size, NULL, &btf));
	struct debuginfo info = { .types = &btf_types, .types_data = btf };

	assert_true(debuginfo_size(&info, "inner", &bytes));
	assert_int_equal(bytes, 32);
	assert_true(debuginfo_size(&info, "inner_t", &bytes));
	assert_int_equal(bytes, 32);
	assert_false(debuginfo_size(&info, "inn", &bytes));
	assert_true(debuginfo_member(&info, "outer", "in.c", &member));
	assert_int_equal(member.offset, 8);
	assert_false(member.bit_field);
	assert_true(btf_types.describe(btf, member.type, &type));
	assert_int_equal(type.kind, TYPE_ARRAY);
	assert_int_equal(type.count, 3);
	assert_int_equal(type.size, 12);
	assert_true(debuginfo_member(&info, "outer", "in.bits", &member));
	assert_int_equal(member.offset, 24);
	assert_true(member.bit_field);
	assert_true(debuginfo_member(&info, "inner", "e", &member));
	assert_int_equal(member.offset, 28);
	assert_false(member.bit_field);
	assert_true(debuginfo_member(&info, "outer", "p", &member));
	assert_true(btf_types.describe(btf, member.type, &type));
	assert_int_equal(type.kind, TYPE_POINTER);
	assert_int_equal(type.size, 8);
	assert_true(btf_types.describe(btf, type.target, &type));
	assert_int_equal(type.kind, TYPE_STRUCT);
	/* Not through a pointer, not behind a member that is no struct, not at all. */
	assert_false(debuginfo_member(&info, "outer", "p.a", &member));
	assert_false(debuginfo_member(&info, "outer", "in.a.x", &member));
	assert_false(debuginfo_member(&info, "outer", "", &member));
	assert_false(debuginfo_member(&info, "outer", "nothing", &member));
	assert_true(btf_types.find(btf, "color", &id));
	assert_true(btf_types.enumerator(btf, id, "DEBT", &number));
	assert_int_equal(number, -2);
	assert_false(btf_types.enumerator(btf, id, "BLUE", &number));
	assert_true(btf_types.find(btf, "huge", &id));
	assert_true(btf_types.enumerator(btf, id, "VAST", &number));
	assert_int_equal(number, 0x200000001);
	assert_true(btf_types.variable(btf, "a_var", &id));
	assert_true(btf_types.describe(btf, id, &type));
	assert_int_equal(type.kind, TYPE_POINTER);
	assert_false(btf_types.describe(btf, types + 1, &type));

	/* A module's goes on from there, and may hide a name of the kernel's. */
	assert_true(btf_types.find(btf, "inner", &id));
	btf_begin(&split, types, strings);
	own = btf_type(&split, "mine", KIND_STRUCT, 1, 64);
	btf_member(&split, "theirs", (uint32_t)id, 64);
	btf_type(&split, "outer", KIND_STRUCT, 0, 1);
	data = btf_finish(&split, &size);
	assert_no_error(btf_parse(data, size, btf, &module));
	info.types_data = module;
	assert_int_equal(own, types + 1);
	assert_true(debuginfo_member(&info, "mine", "theirs.b", &member));
	assert_int_equal(member.offset, 16);
	assert_true(debuginfo_size(&info, "outer", &bytes));
	assert_int_equal(bytes, 1);
	assert_true(debuginfo_size(&info, "inner_t", &bytes));
	btf_destroy(module);
	btf_destroy(btf);
}

/* Everything that can be asked, of types that say anything. */
static void ask_all(const struct btf *btf, uint32_t types)
{
	static const char *const names[] = { "inner", "outer", "color", "huge", "nothing", "" };
	struct type_member member;
	struct type type;
	int64_t number;
	type_id id;

	for (type_id i = 0; i < types + 2; i++)
		if (btf_types.describe(btf, i, &type)) {
			btf_types.member(btf, i, "c", &member);
			btf_types.enumerator(btf, i, "DEBT", &number);
		}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		btf_types.find(btf, names[i], &id);
	btf_types.variable(btf, "a_var", &id);
}

static void test_btf_hostile(void **state)
{
	uint32_t types, strings;
	struct btf_builder b;
	struct type_member member;
	struct type type;
	struct btf *btf;
	size_t size;
	uint8_t *data = sample(&size, &types, &strings);

	/* Each byte wrong in three ways: an error, or answers. Each length too short: an error. */
	for (size_t i = 0; i < size * 3; i++) {
		uint8_t *copy = malloc(size);

		assert_non_null(copy);
		memcpy(copy, data, size);
		copy[i / 3] = (uint8_t)(i % 3 == 0 ? 0xff : i % 3 == 1 ? copy[i / 3] + 1 : copy[i / 3] ^ 0x80);
		struct kd_error *err = btf_parse(copy, size, NULL, &btf);
		if (err) {
			kd_error_destroy(err);
			continue;
		}
		ask_all(btf, types);
		btf_destroy(btf);
	}
	for (size_t i = 0; i < size; i++) {
		uint8_t *copy = malloc(i + 1);

		assert_non_null(copy);
		memcpy(copy, data, i);
		assert_error(btf_parse(copy, i, NULL, &btf), KD_ERR_FORMAT, "BTF");
	}
	free(data);

	/* A typedef of itself, an array of itself, a struct in itself, twice. */
	btf_begin(&b, 0, 0);
	btf_type(&b, "circle", KIND_TYPEDEF, 0, 1);
	btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, 2, 2, 2, 3);
	btf_type(&b, "russian", KIND_STRUCT, 2, 8);
	btf_member(&b, NULL, 3, 0);
	btf_member(&b, NULL, 3, 0);
	btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, 5, 5, UINT32_MAX, 3);
	btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, 6, 6, UINT32_MAX, 3);
	btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, 3, 3, UINT32_MAX, 3);
	data = btf_finish(&b, &size);
	assert_no_error(btf_parse(data, size, NULL, &btf));
	assert_false(btf_types.describe(btf, 1, &type));
	assert_false(btf_types.describe(btf, 2, &type));
	assert_false(btf_types.member(btf, 3, "x", &member));
	assert_false(btf_types.describe(btf, 4, &type)); /* 2^67 bytes */
	btf_destroy(btf);

	/* A kind from the future has a size that is not known. */
	btf_begin(&b, 0, 0);
	btf_type(&b, "later", 30, 0, 1);
	data = btf_finish(&b, &size);
	assert_error(btf_parse(data, size, NULL, &btf), KD_ERR_UNSUPPORTED, "type 1 is of kind 30");
}

/* kallsyms */

static void check_rule(enum kallsyms_rule rule)
{
	static char long_name[202];
	const struct test_symbol symbol[] = {
		{ "A_percpu_thing", rule == RULE_ABSOLUTE_PERCPU ? 0x1c0 : STEXT - 0x1000 + 0x1000 },
		{ "T_stext", STEXT },
		{ "Dinit_uts_ns", UTS_NS },
		{ "dstatic_key", DATA_AT },
		{ "dstatic_key", DATA_AT + 8 },
		{ long_name, DATA_AT + 0x10 },
		{ "b", DATA_AT + 0x20 },
	};
	const char *const wanted[] = { "init_uts_ns", "init", long_name + 1, "static_key", "_percpu_thing" };
	uint64_t address = 1, addresses[ARRAY_SIZE(wanted)];
	struct kallsyms *kallsyms;
	struct opened opened;

	memset(long_name, 'n', sizeof(long_name) - 1);
	machine_init(&opened.machine, 4);
	machine_kallsyms(&opened.machine, symbol, ARRAY_SIZE(symbol), rule);
	open_machine(&opened);
	assert_no_error(kallsyms_open(&opened.space, &kallsyms));
	for (uint32_t i = 0; i < ARRAY_SIZE(symbol); i++) {
		if (i > 0 && strcmp(symbol[i].name, symbol[i - 1].name) == 0)
			continue; /* the first of a name is found */
		assert_true(kallsyms_symbols.find(kallsyms, symbol[i].name + 1, &address) > 0);
		assert_int_equal(address, symbol[i].address);
	}
	assert_int_equal(kallsyms_symbols.find(kallsyms, "init_uts_ns", &address), 1);
	assert_int_equal(address, UTS_NS);
	assert_int_equal(kallsyms_symbols.find(kallsyms, "static_key", &address), 2);
	assert_int_equal(address, DATA_AT);
	assert_int_equal(kallsyms_symbols.find(kallsyms, long_name + 1, &address), 1);
	assert_int_equal(address, DATA_AT + 0x10);
	assert_int_equal(kallsyms_symbols.find(kallsyms, "init_", &address), 0);
	assert_int_equal(kallsyms_symbols.find(kallsyms, "init_uts_ns2", &address), 0);
	/* All at once: with few letters, with more than the pass looks at first, of two the first one. */
	kallsyms_find_all(kallsyms, wanted, ARRAY_SIZE(wanted), addresses);
	assert_int_equal(addresses[0], UTS_NS);
	assert_int_equal(addresses[1], 0);
	assert_int_equal(addresses[2], DATA_AT + 0x10);
	assert_int_equal(addresses[3], DATA_AT);
	assert_int_equal(addresses[4], rule == RULE_ABSOLUTE_PERCPU ? 0x1c0 : STEXT);
	kallsyms_close(kallsyms);
	close_machine(&opened);
	machine_release(&opened.machine);
}

static void test_kallsyms(void **state)
{
	check_rule(RULE_ABSOLUTE_PERCPU);
	check_rule(RULE_BASE_RELATIVE);
	check_rule(RULE_PLACE_RELATIVE);
}

static void test_kallsyms_hostile(void **state)
{
	static const struct test_symbol symbol[] = { { "T_stext", STEXT } }, other[] = { { "T_etext", STEXT } };
	static const struct {
		uint64_t at, value;
		size_t size;
		enum kd_error_code code;
		const char *text;
	} cases[] = {
		{ 0, 0, 4, KD_ERR_FORMAT, "0 symbols" },
		{ 0, UINT32_MAX, 4, KD_ERR_FORMAT, "4294967295 symbols" },
		{ 0, 8000000, 4, KD_ERR_HOLE, "" }, /* names without end */
		{ 8, 0x1234, 8, KD_ERR_FORMAT, "no rule" },
		{ 0x1010 + 0x300 + 2, 0xffff, 2, KD_ERR_FORMAT, "token 1 lies at 65535" },
	};
	struct kallsyms *kallsyms;
	struct opened opened;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		machine_init(&opened.machine, 4);
		machine_kallsyms(&opened.machine, symbol, 1, RULE_BASE_RELATIVE);
		machine_put(&opened.machine, KALLSYMS_AT - STEXT + STEXT_PHYS + cases[i].at, cases[i].value,
			    cases[i].size);
		open_machine(&opened);
		assert_error(kallsyms_open(&opened.space, &kallsyms), cases[i].code, cases[i].text);
		close_machine(&opened);
		machine_release(&opened.machine);
	}
	/* More names than there is room before the next table. */
	machine_init(&opened.machine, 4);
	machine_kallsyms(&opened.machine, symbol, 1, RULE_BASE_RELATIVE);
	machine_put(&opened.machine, KALLSYMS_AT - STEXT + STEXT_PHYS, 8000000, 4);
	machine_forget(&opened.machine, "SYMBOL(kallsyms_relative_base)");
	machine_info(&opened.machine, "SYMBOL(kallsyms_relative_base)=%lx\n", KALLSYMS_AT + 0x3000);
	open_machine(&opened);
	assert_error(kallsyms_open(&opened.space, &kallsyms), KD_ERR_FORMAT, "the names of 8000000 symbols");
	close_machine(&opened);
	machine_release(&opened.machine);
	/* Nothing that is known of both sides; nothing at all. */
	machine_init(&opened.machine, 4);
	machine_kallsyms(&opened.machine, other, 1, RULE_BASE_RELATIVE);
	open_machine(&opened);
	assert_error(kallsyms_open(&opened.space, &kallsyms), KD_ERR_FORMAT, "no rule");
	close_machine(&opened);
	machine_forget(&opened.machine, "SYMBOL(kallsyms_names)");
	open_machine(&opened);
	assert_error(kallsyms_open(&opened.space, &kallsyms), KD_ERR_NOT_FOUND, "VMCOREINFO does not say");
	close_machine(&opened);
	machine_release(&opened.machine);
}

/* VMCOREINFO made of symbols and types */

/* struct page, its flags, and struct zone, as 6.12 has them, as far as the filter looks; and lists of modules. */
static size_t add_kernel_types(struct machine *machine)
{
	uint32_t integer, area, areas, flags, list, list_ptr, symbols_ptr, module_ptr, btf_ptr, name;
	struct btf_builder b;
	uint8_t *data;
	size_t size;

	btf_begin(&b, 0, 0);
	integer = btf_type(&b, "long unsigned int", KIND_INT, 0, 8);
	btf_words(&b, 64, 0, 0, 1);
	btf_type(&b, "page", KIND_STRUCT, 5, 64);
	btf_member(&b, "flags", integer, 0);
	btf_member(&b, "compound_head", integer, 64);
	btf_member(&b, "mapping", integer, 192);
	btf_member(&b, "private", integer, 320);
	btf_member(&b, "_mapcount", integer, 384);
	flags = btf_type(&b, "pageflags", KIND_ENUM, 5, 4);
	btf_words(&b, btf_string(&b, "PG_lru"), 4, 0, 2);
	btf_words(&b, btf_string(&b, "PG_head"), 16, 0, 2);
	btf_words(&b, btf_string(&b, "PG_private"), 13, 0, 2);
	btf_words(&b, btf_string(&b, "PG_slab"), 9, 0, 2);
	btf_words(&b, btf_string(&b, "PG_hwpoison"), 23, 0, 2);
	assert_int_equal(flags, b.types);
	area = btf_type(&b, "free_area", KIND_STRUCT, 0, 88);
	areas = btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, area, integer, 11, 3);
	btf_type(&b, "zone", KIND_STRUCT, 1, 1536);
	btf_member(&b, "free_area", areas, 256 * 8);
	btf_type(&b, "mem_section", KIND_STRUCT, 1, 32);
	btf_member(&b, "section_mem_map", integer, 0);
	/* Modules. */
	list_ptr = btf_type(&b, NULL, KIND_PTR, 0, b.types + 2);
	list = btf_type(&b, "list_head", KIND_STRUCT, 2, 16);
	btf_member(&b, "next", list_ptr, 0);
	btf_member(&b, "prev", list_ptr, 64);
	btf_type(&b, "mod_kallsyms", KIND_STRUCT, 3, 32);
	btf_member(&b, "symtab", integer, 0);
	btf_member(&b, "num_symtab", integer, 64);
	btf_member(&b, "strtab", integer, 128);
	symbols_ptr = btf_type(&b, NULL, KIND_PTR, 0, b.types);
	name = btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, integer, integer, 7, 3);
	btf_type(&b, "module", KIND_STRUCT, 3, 256);
	btf_member(&b, "list", list, 64);
	btf_member(&b, "name", name, 192);
	btf_member(&b, "kallsyms", symbols_ptr, 640);
	module_ptr = btf_type(&b, NULL, KIND_PTR, 0, b.types);
	btf_type(&b, "btf", KIND_STRUCT, 2, 64);
	btf_member(&b, "data", integer, 0);
	btf_member(&b, "data_size", integer, 64);
	btf_ptr = btf_type(&b, NULL, KIND_PTR, 0, b.types);
	btf_type(&b, "btf_module", KIND_STRUCT, 3, 64);
	btf_member(&b, "list", list, 0);
	btf_member(&b, "module", module_ptr, 128);
	btf_member(&b, "btf", btf_ptr, 192);
	data = btf_finish(&b, &size);
	memcpy(machine->ram + (BTF_AT - STEXT + STEXT_PHYS), data, size);
	free(data);
	/* Of a module: it goes on from here. */
	btf_begin(&b, b.types, b.strings_size);
	btf_type(&b, "secret_of_mine", KIND_STRUCT, 0, 48);
	data = btf_finish(&b, &size);
	memcpy(machine->ram + (DATA_AT + 0x800 - STEXT + STEXT_PHYS), data, size);
	machine_put(machine, DATA_AT + 0x700 - STEXT + STEXT_PHYS, DATA_AT + 0x800, 8);
	machine_put(machine, DATA_AT + 0x708 - STEXT + STEXT_PHYS, size, 4);
	free(data);
	return 0x1000;
}

#define MODULES     (DATA_AT + 0x10)
#define BTF_MODULES (DATA_AT + 0x20)
#define MEM_SECTION (DATA_AT + 0x30)

static void add_kernel_names(struct machine *machine)
{
	size_t size = add_kernel_types(machine);
	/* clang-format off */
	const struct test_symbol symbol[] = {
		{ "T_stext", STEXT }, { "Dinit_uts_ns", UTS_NS }, { "Bmem_section", MEM_SECTION },
		{ "dmodules", MODULES }, { "dbtf_modules", BTF_MODULES },
		{ "R__start_BTF", BTF_AT }, { "R__stop_BTF", BTF_AT + size },
	};
	/* clang-format on */

	/* The types end before that; the rest is not looked at. */
	machine_put(machine, MEM_SECTION - STEXT + STEXT_PHYS, SECTIONS, 8);
	machine_kallsyms(machine, symbol, ARRAY_SIZE(symbol), RULE_PLACE_RELATIVE);
}

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
	add_kernel_names(&opened.machine);
	open_machine(&opened);
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
		open_machine(&opened);
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

/* A dump whose VMCOREINFO lacks what it needs is filtered as if it did not. */
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
	char dump[128];

	snprintf(dump, sizeof(dump), "%s/dump", dir);
	for (unsigned int levels = 4; levels <= 5; levels++) {
		machine_init(&machine, levels);
		add_kernel_names(&machine);
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

/* Modules */

static void put64(struct machine *machine, uint64_t vaddr, uint64_t value)
{
	machine_put(machine, vaddr - STEXT + STEXT_PHYS, value, 8);
}

static void test_module(void **state)
{
	static const uint64_t first = DATA_AT + 0x100, second = DATA_AT + 0x200, tables = DATA_AT + 0x400;
	Elf64_Sym symbol[2] = { { 0 }, { .st_name = 5, .st_shndx = 3, .st_value = 0x4711 } };
	struct module_names *module;
	const struct debuginfo *info;
	struct dump_names names;
	struct opened opened;
	uint64_t value;

	machine_init(&opened.machine, 4);
	add_kernel_names(&opened.machine);
	put64(&opened.machine, MODULES, first + 8);
	put64(&opened.machine, first + 8, second + 8);
	put64(&opened.machine, second + 8, MODULES);
	strcpy((char *)opened.machine.ram + (first + 24 - STEXT + STEXT_PHYS), "one");
	strcpy((char *)opened.machine.ram + (second + 24 - STEXT + STEXT_PHYS), "two_two");
	put64(&opened.machine, second + 80, tables);
	put64(&opened.machine, tables, tables + 0x40);
	put64(&opened.machine, tables + 8, 2);
	put64(&opened.machine, tables + 16, tables + 0x100);
	memcpy(opened.machine.ram + (tables + 0x40 - STEXT + STEXT_PHYS), symbol, sizeof(symbol));
	memcpy(opened.machine.ram + (tables + 0x100 - STEXT + STEXT_PHYS), "\0abc\0my_key", 12);
	/* Its BTF is the second of two. */
	put64(&opened.machine, BTF_MODULES, DATA_AT + 0x600);
	put64(&opened.machine, DATA_AT + 0x600, DATA_AT + 0x640);
	put64(&opened.machine, DATA_AT + 0x610, first);
	put64(&opened.machine, DATA_AT + 0x640, BTF_MODULES);
	put64(&opened.machine, DATA_AT + 0x650, second);
	put64(&opened.machine, DATA_AT + 0x658, DATA_AT + 0x700);
	open_machine(&opened);
	assert_no_error(dump_names_open(&names, &opened.space));
	assert_no_error(module_names_open(&opened.space, &names.info, names.btf, "three", &module));
	assert_null(module);
	assert_error(module_names_open(&opened.space, &names.info, names.btf, "one", &module), KD_ERR_HOLE,
		     "the symbols of module one");
	assert_no_error(module_names_open(&opened.space, &names.info, names.btf, "two_two", &module));
	info = module_names_info(module);
	assert_true(debuginfo_symbol(info, "my_key", &value));
	assert_int_equal(value, 0x4711);
	assert_false(debuginfo_symbol(info, "abc", &value)); /* undefined */
	assert_true(debuginfo_size(info, "secret_of_mine", &value));
	assert_int_equal(value, 48);
	assert_true(debuginfo_size(info, "page", &value));
	module_names_close(module);
	close_machine(&opened);

	/* A list that bites its tail, but not the end of it. */
	put64(&opened.machine, second + 8, first + 8);
	open_machine(&opened);
	assert_error(module_names_open(&opened.space, &names.info, names.btf, "three", &module), KD_ERR_FORMAT,
		     "more than 65536 elements");
	dump_names_release(&names);
	close_machine(&opened);
	machine_release(&opened.machine);
}

/* A vmlinux: this very program has symbols, and DWARF if it was built with -g. */

struct test_inner {
	char text[3][4];
	union {
		int number;
		struct {
			short half, other;
		};
	};
};
enum test_color { TEST_RED = 3, TEST_DEBT = -7 };
struct test_outer {
	const struct test_inner *pointer;
	struct test_inner inner[2];
	unsigned int bits : 3;
	enum test_color color;
};
struct test_outer test_variable = { .color = TEST_DEBT };

static void test_vmlinux(void **state)
{
	struct kd_error *err;
	struct type_member member;
	struct vmlinux *vmlinux;
	const struct debuginfo *info;
	uint64_t symbol, moved, value;
	struct type type;
	int64_t number;
	type_id id;

	err = vmlinux_open("/proc/self/exe", NULL, &vmlinux);
	if (err) {
		assert_non_null(strstr(err->text, "gives no types"));
		kd_error_destroy(err);
		end_test("no libdw, or nothing built with -g");
	}
	info = vmlinux_debuginfo(vmlinux);
	assert_true(debuginfo_symbol(info, "test_variable", &symbol));
	vmlinux_move(vmlinux, 0x1000);
	assert_true(debuginfo_symbol(info, "test_variable", &moved));
	assert_int_equal(moved, symbol + 0x1000);
	assert_false(debuginfo_symbol(info, "no_such_variable", &symbol));
	assert_string_equal(vmlinux_release(vmlinux), "");

	assert_true(debuginfo_size(info, "test_outer", &value));
	assert_int_equal(value, sizeof(struct test_outer));
	assert_true(debuginfo_member(info, "test_outer", "inner", &member));
	assert_int_equal(member.offset, offsetof(struct test_outer, inner));
	assert_true(info->types->describe(info->types_data, member.type, &type));
	assert_int_equal(type.kind, TYPE_ARRAY);
	assert_int_equal(type.count, 2);
	assert_int_equal(type.size, 2 * sizeof(struct test_inner));
	assert_true(debuginfo_member(info, "test_inner", "other", &member));
	assert_int_equal(member.offset, offsetof(struct test_inner, other));
	/* Each dimension is an array. */
	assert_true(debuginfo_member(info, "test_inner", "text", &member));
	assert_true(info->types->describe(info->types_data, member.type, &type));
	assert_int_equal(type.count, 3);
	assert_int_equal(type.size, 12);
	assert_true(info->types->describe(info->types_data, type.target, &type));
	assert_int_equal(type.kind, TYPE_ARRAY);
	assert_int_equal(type.count, 4);
	assert_true(info->types->describe(info->types_data, type.target, &type));
	assert_true(type.is_char);
	assert_true(debuginfo_member(info, "test_outer", "bits", &member));
	assert_true(member.bit_field);
	assert_true(debuginfo_member(info, "test_outer", "pointer", &member));
	assert_true(info->types->describe(info->types_data, member.type, &type));
	assert_int_equal(type.kind, TYPE_POINTER);
	assert_true(info->types->describe(info->types_data, type.target, &type));
	assert_int_equal(type.kind, TYPE_STRUCT);
	assert_int_equal(type.size, sizeof(struct test_inner));
	assert_true(info->types->find(info->types_data, "test_color", &id));
	assert_true(info->types->enumerator(info->types_data, id, "TEST_DEBT", &number));
	assert_int_equal(number, -7);
	assert_false(info->types->enumerator(info->types_data, id, "TEST_BLUE", &number));
	assert_true(info->types->variable(info->types_data, "test_variable", &id));
	assert_true(info->types->describe(info->types_data, id, &type));
	assert_int_equal(type.size, sizeof(struct test_outer));
	assert_false(info->types->find(info->types_data, "no_such_type", &id));
	vmlinux_close(vmlinux);

	/* No vmlinux. */
	assert_error(vmlinux_open("/nonexistent", NULL, &vmlinux), KD_ERR_OS, "/nonexistent");
	assert_error(vmlinux_open("/dev/null", NULL, &vmlinux), KD_ERR_FORMAT, "not an ELF file");
	assert_error(vmlinux_open(core, NULL, &vmlinux), KD_ERR_FORMAT, "no sections");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_btf),      cmocka_unit_test(test_btf_hostile),
		cmocka_unit_test(test_kallsyms), cmocka_unit_test(test_kallsyms_hostile),
		cmocka_unit_test(test_make),     cmocka_unit_test(test_make_page_types),
		cmocka_unit_test(test_learn),    cmocka_unit_test(test_module),
		cmocka_unit_test(test_vmlinux),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
