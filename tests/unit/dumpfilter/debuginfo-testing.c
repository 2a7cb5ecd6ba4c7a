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
