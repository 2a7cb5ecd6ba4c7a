/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Names for the machine of dumpfilter-testing.h: BTF and kallsyms, made by hand, in its memory. */
#ifndef TESTS_UNIT_DUMPFILTER_DEBUGINFO_TESTING_H
#define TESTS_UNIT_DUMPFILTER_DEBUGINFO_TESTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/dumpfilter/dumpfilter-testing.h"

enum {
	KIND_INT = 1,
	KIND_PTR,
	KIND_ARRAY,
	KIND_STRUCT,
	KIND_UNION,
	KIND_ENUM,
	KIND_FWD,
	KIND_TYPEDEF,
	KIND_VOLATILE,
	KIND_CONST,
	KIND_VAR = 14,
	KIND_ENUM64 = 19,
};
#define KIND_FLAG 0x80u

/** BTF as it is written. */
struct btf_builder {
	uint32_t word[1024]; /* types */
	size_t words;
	char strings[4096];
	uint32_t strings_size;
	uint32_t types;
	uint32_t base_types, base_strings; /* of the BTF that this one goes on from */
};

void btf_begin(struct btf_builder *btf, uint32_t base_types, uint32_t base_strings);
uint32_t btf_string(struct btf_builder *btf, const char *text);
/** A new type; its number. @kind: KIND_…, with KIND_FLAG; what follows it is added with btf_words(). */
uint32_t btf_type(struct btf_builder *btf, const char *name, unsigned int kind, unsigned int elements,
		  uint32_t size_or_type);
void btf_words(struct btf_builder *btf, uint32_t a, uint32_t b, uint32_t c, unsigned int count);
void btf_member(struct btf_builder *btf, const char *name, uint32_t type, uint32_t bits);
/** The whole, malloc'd. */
uint8_t *btf_finish(const struct btf_builder *btf, size_t *size_ret);

struct test_symbol {
	const char *name; /* with the letter of its type in front */
	uint64_t address;
};

enum kallsyms_rule { RULE_ABSOLUTE_PERCPU, RULE_BASE_RELATIVE, RULE_PLACE_RELATIVE };

#define KALLSYMS_AT (STEXT + 0x140000)
#define BTF_AT      (STEXT + 0x190000)
#define DATA_AT     (STEXT + 0x1a0000)

#define MODULES     (DATA_AT + 0x10)
#define BTF_MODULES (DATA_AT + 0x20)
#define MEM_SECTION (DATA_AT + 0x30)

/** Put a table of symbols into the machine, and where it is into VMCOREINFO. */
void machine_kallsyms(struct machine *machine, const struct test_symbol *symbol, size_t count, enum kallsyms_rule rule);
/** The symbols and types of a kernel that the filter asks for; at MODULES and BTF_MODULES are its lists of modules. */
void machine_add_kernel_names(struct machine *machine);

#endif
