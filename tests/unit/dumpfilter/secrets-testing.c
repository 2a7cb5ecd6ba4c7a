/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/dumpfilter/secrets-testing.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void machine_put_word(struct machine *machine, uint64_t vaddr, uint64_t value)
{
	machine_put(machine, vaddr - STEXT + STEXT_PHYS, value, 8);
}

void machine_put_text(struct machine *machine, uint64_t vaddr, const char *text)
{
	memcpy(machine->ram + (vaddr - STEXT + STEXT_PHYS), text, strlen(text) + 1);
}

static uint32_t variable(struct btf_builder *b, const char *name, uint32_t type)
{
	uint32_t id = btf_type(b, name, KIND_VAR, 0, type);

	btf_words(b, 1, 0, 0, 1);
	return id;
}

void machine_add_secret_types(struct machine *machine)
{
	uint32_t integer, character, byte, list, list_ptr, secret, chars, bytes, text, nothing, next, two, pointers;
	struct btf_builder b;
	uint8_t *data;
	size_t size;

	btf_begin(&b, 0, 0);
	integer = btf_type(&b, "long int", KIND_INT, 0, 8);
	btf_words(&b, 64, 0, 0, 1);
	character = btf_type(&b, "char", KIND_INT, 0, 1);
	btf_words(&b, 8, 0, 0, 1);
	byte = btf_type(&b, "unsigned char", KIND_INT, 0, 1);
	btf_words(&b, 8, 0, 0, 1);
	list_ptr = btf_type(&b, NULL, KIND_PTR, 0, b.types + 2);
	list = btf_type(&b, "list_head", KIND_STRUCT, 2, 16);
	btf_member(&b, "next", list_ptr, 0);
	btf_member(&b, "prev", list_ptr, 64);
	chars = btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, character, integer, 24, 3);
	text = btf_type(&b, NULL, KIND_PTR, 0, character);
	bytes = btf_type(&b, NULL, KIND_PTR, 0, byte);
	nothing = btf_type(&b, NULL, KIND_PTR, 0, 0);
	next = btf_type(&b, NULL, KIND_PTR, 0, b.types + 3);
	pointers = btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, next, integer, 2, 3);
	secret = btf_type(&b, "secret", KIND_STRUCT | KIND_FLAG, 9, SECRET_SIZE);
	btf_member(&b, "name", text, NAME * 8);
	btf_member(&b, "addr", nothing, ADDR * 8);
	btf_member(&b, "size", integer, SIZE * 8);
	btf_member(&b, "buffer", chars, BUFFER * 8);
	btf_member(&b, "list", list, LIST * 8);
	btf_member(&b, "next", next, NEXT * 8);
	btf_member(&b, "raw", bytes, RAW * 8);
	btf_member(&b, "bits", integer, 3 << 24 | (RAW + 8) * 8);
	btf_member(&b, "more", pointers, MORE * 8);
	two = btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, secret, integer, 2, 3);
	variable(&b, "one", secret);
	variable(&b, "pointer", next);
	variable(&b, "head", list);
	variable(&b, "head_ptr", list_ptr);
	variable(&b, "text", chars);
	variable(&b, "array", two);
	variable(&b, "dangling", next);
	variable(&b, "twice", integer);
	data = btf_finish(&b, &size);
	memcpy(machine->ram + (BTF_AT - STEXT + STEXT_PHYS), data, size);
	free(data);

	/* clang-format off */
	const struct test_symbol symbol[] = {
		{ "T_stext", STEXT },	 { "Done", ONE },	    { "Dpointer", POINTER },  { "dhead", HEAD },
		{ "dtext", STRING },	 { "darray", ARRAY },	    { "duntyped", UNTYPED },  { "dacross", ACROSS },
		{ "dtwice", ONE },	 { "dtwice", TWO },	    { "ddangling", DANGLING }, { "dhead_ptr", HEAD_PTR },
		{ "R__start_BTF", BTF_AT }, { "R__stop_BTF", BTF_AT + size },
	};
	/* clang-format on */
	machine_kallsyms(machine, symbol, ARRAY_SIZE(symbol), RULE_BASE_RELATIVE);
}

/* one -> two -> three -> one by next; head <-> one <-> two <-> three by list; array of two more. */
void machine_add_secrets(struct machine *machine)
{
	static const uint64_t all[] = { ONE, TWO, THREE };

	for (size_t i = 0; i < 3; i++) {
		machine_put_word(machine, all[i] + NEXT, all[(i + 1) % 3]);
		machine_put_word(machine, all[i] + LIST, i < 2 ? all[i + 1] + LIST : HEAD);
		machine_put_word(machine, all[i] + LIST + 8, i ? all[i - 1] + LIST : HEAD);
		machine_put_text(machine, all[i] + BUFFER, CANARY);
	}
	machine_put_word(machine, HEAD, ONE + LIST);
	machine_put_word(machine, HEAD + 8, THREE + LIST);
	machine_put_word(machine, HEAD_PTR, HEAD);
	machine_put_word(machine, POINTER, TWO);
	machine_put_word(machine, DANGLING, UINT64_C(0xffffc90000000000));
	machine_put_text(machine, STRING, CANARY);
	machine_put_text(machine, BYTES, CANARY "\1\2\3");
	machine_put_word(machine, ONE + NAME, BYTES);
	machine_put_word(machine, ONE + ADDR, BYTES);
	machine_put_word(machine, ONE + SIZE, 14);
	machine_put_word(machine, ONE + RAW, BYTES);
	machine_put_word(machine, ONE + MORE + 8, THREE);
	machine_put_text(machine, ARRAY + BUFFER, CANARY);
	machine_put_text(machine, ARRAY + SECRET_SIZE + BUFFER, CANARY);
	machine_put_text(machine, UNTYPED, CANARY);
	machine_put_text(machine, ACROSS, CANARY);
}
