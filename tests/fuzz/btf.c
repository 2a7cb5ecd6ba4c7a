/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BTF, and a module's BTF that goes on from it (the same bytes again): everything that can be asked of it. */
#include <stdlib.h>
#include <string.h>

#include "dumpfilter/btf.h"
#include "tests/fuzz/fuzz.h"

/* Each of them takes a walk through all types. */
#define TYPES_MAX 64u

static void ask(const struct btf *btf)
{
	static const char *const names[] = { "page", "int", "list_head", "a", "" };
	struct type_member member;
	struct type type;
	int64_t number;
	type_id id;

	for (id = 0; id < TYPES_MAX; id++) {
		if (!btf_types.describe(btf, id, &type))
			continue;
		REQUIRE(type.kind != TYPE_ARRAY || type.count == 0 || type.size % type.count == 0);
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			btf_types.member(btf, id, names[i], &member);
			btf_types.enumerator(btf, id, names[i], &number);
		}
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		btf_types.find(btf, names[i], &id);
		btf_types.variable(btf, names[i], &id);
	}
}

static struct btf *parse(const uint8_t *data, size_t size, const struct btf *base)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct btf *btf = NULL;

	REQUIRE(copy);
	if (size)
		memcpy(copy, data, size);
	fuzz_error(btf_parse(copy, size, base, &btf));
	return btf;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(btf_destroy) struct btf *btf = parse(data, size, NULL);

	if (!btf)
		return 0;
	ask(btf);
	_cleanup_(btf_destroy) struct btf *module = parse(data, size, btf);
	REQUIRE(module);
	ask(module);
	return 0;
}
