/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/dumpfilter/debuginfo-testing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void btf_begin(struct btf_builder *btf, uint32_t base_types, uint32_t base_strings)
{
	*btf = (struct btf_builder){ .base_types = base_types, .base_strings = base_strings };
	btf->strings_size = base_types ? 0 : 1;
}

uint32_t btf_string(struct btf_builder *btf, const char *text)
{
	uint32_t offset = btf->strings_size;

	if (!text)
		return 0;
	assert(offset + strlen(text) < sizeof(btf->strings));
	strcpy(btf->strings + offset, text);
	btf->strings_size += (uint32_t)strlen(text) + 1;
	return btf->base_strings + offset;
}

void btf_words(struct btf_builder *btf, uint32_t a, uint32_t b, uint32_t c, unsigned int count)
{
	uint32_t word[] = { a, b, c };

	assert(btf->words + count <= ARRAY_SIZE(btf->word));
	memcpy(btf->word + btf->words, word, count * 4);
	btf->words += count;
}

uint32_t btf_type(struct btf_builder *btf, const char *name, unsigned int kind, unsigned int elements,
		  uint32_t size_or_type)
{
	btf_words(btf, btf_string(btf, name), kind << 24 | elements, size_or_type, 3);
	return btf->base_types + ++btf->types;
}

void btf_member(struct btf_builder *btf, const char *name, uint32_t type, uint32_t bits)
{
	btf_words(btf, btf_string(btf, name), type, bits, 3);
}

uint8_t *btf_finish(const struct btf_builder *btf, size_t *size_ret)
{
	uint32_t types = (uint32_t)btf->words * 4;
	uint32_t header[] = { 0x0001eb9f, 24, 0, types, types, btf->strings_size };
	uint8_t *data = malloc(24 + types + btf->strings_size);

	assert(data);
	memcpy(data, header, 24);
	memcpy(data + 24, btf->word, types);
	memcpy(data + 24 + types, btf->strings, btf->strings_size);
	*size_ret = 24 + types + btf->strings_size;
	return data;
}

static uint64_t phys(uint64_t vaddr)
{
	return vaddr - STEXT + STEXT_PHYS;
}

/* Tokens are the ASCII characters, and token 1 is "init_". */
void machine_kallsyms(struct machine *machine, const struct test_symbol *symbol, size_t count, enum kallsyms_rule rule)
{
	uint64_t num = KALLSYMS_AT, base = num + 8, offsets = base + 8, table = offsets + 0x1000;
	uint64_t index = table + 0x300, names = index + 0x300, position = 0;

	for (uint64_t i = 0; i < 256; i++) {
		char text[8] = "";

		if (i == 1)
			strcpy(text, "init_");
		else
			text[0] = (char)i;
		machine_put(machine, phys(index) + i * 2, position, 2);
		memcpy(machine->ram + phys(table) + position, text, strlen(text) + 1);
		position += strlen(text) + 1;
	}
	assert(table + position <= index);
	machine_put(machine, phys(num), count, 4);
	machine_put(machine, phys(base), STEXT, 8);
	position = 0;
	for (size_t i = 0; i < count; i++) {
		uint8_t tokens[2048];
		size_t length = 0;
		int64_t value = (int64_t)(symbol[i].address - STEXT);

		for (const char *text = symbol[i].name; *text; text++) {
			if (strncmp(text, "init_", 5) == 0) {
				tokens[length++] = 1;
				text += 4;
			} else {
				tokens[length++] = (uint8_t)*text;
			}
		}
		if (length > 127)
			machine_put(machine, phys(names) + position++, 0x80 | (length & 0x7f), 1);
		machine_put(machine, phys(names) + position++, length > 127 ? length >> 7 : length, 1);
		memcpy(machine->ram + phys(names) + position, tokens, length);
		position += length;
		if (rule == RULE_ABSOLUTE_PERCPU)
			value = symbol[i].address < STEXT ? (int64_t)symbol[i].address : -1 - value;
		else if (rule == RULE_PLACE_RELATIVE)
			value = (int64_t)(symbol[i].address - (offsets + i * 4));
		machine_put(machine, phys(offsets) + i * 4, (uint64_t)value, 4);
	}
	machine_info(machine, "SYMBOL(kallsyms_names)=%lx\nSYMBOL(kallsyms_num_syms)=%lx\n", names, num);
	machine_info(machine, "SYMBOL(kallsyms_token_table)=%lx\nSYMBOL(kallsyms_token_index)=%lx\n", table, index);
	machine_info(machine, "SYMBOL(kallsyms_offsets)=%lx\n", offsets);
	if (rule != RULE_PLACE_RELATIVE)
		machine_info(machine, "SYMBOL(kallsyms_relative_base)=%lx\n", base);
}

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
	assert(flags == b.types);
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

void machine_add_kernel_names(struct machine *machine)
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
