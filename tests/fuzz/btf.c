/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BTF: ask for every type and for the names that the erase configuration needs. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "dumpfilter/names/btf.h"
#include "tests/fuzz/fuzz.h"

#define IDS 256u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "item", "list_head", "next", "one", "" };
	_cleanup_(btf_destroy) struct btf *btf = NULL;
	uint8_t *copy = malloc(size ? size : 1);
	struct type_member member;
	struct type type;
	int64_t value;
	type_id id;

	REQUIRE(copy);
	if (size)
		memcpy(copy, data, size);
	if (fuzz_error(btf_parse(copy, size, NULL, &btf)))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (btf_types.find(btf, names[i], &id))
			btf_types.describe(btf, id, &type);
		if (btf_types.variable(btf, names[i], &id))
			btf_types.describe(btf, id, &type);
	}
	for (type_id i = 0; i < IDS; i++) {
		if (!btf_types.describe(btf, i, &type))
			continue;
		for (size_t j = 0; j < ARRAY_SIZE(names); j++) {
			btf_types.member(btf, type.id, names[j], &member);
			btf_types.enumerator(btf, type.id, names[j], &value);
		}
	}
	return 0;
}
