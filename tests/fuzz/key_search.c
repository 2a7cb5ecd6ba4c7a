/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory of a kernel as an attacker would fill it, searched for a key: the search ends, reads what there is and nothing
 * else, and returns a key only if it was told that it is the one. The input: the size of the key, the first byte of
 * what counts as right, and the memory. */
#include <string.h>

#include "base/array.h"
#include "kdump/storage/key_search.h"
#include "tests/fuzz/fuzz.h"

#define START UINT64_C(0xffff888000000000)

struct memory {
	const uint8_t *data;
	size_t size;
	uint8_t right;
	bool found;
	unsigned int reads;
};

static bool read_memory(void *arg, uint64_t vaddr, void *buf, size_t size)
{
	struct memory *memory = arg;

	REQUIRE(++memory->reads < 10000);
	if (vaddr < START || vaddr - START > memory->size || size > memory->size - (vaddr - START))
		return false;
	memcpy(buf, memory->data + (vaddr - START), size);
	return true;
}

static bool is_key(void *arg, const uint8_t *key, size_t size)
{
	struct memory *memory = arg;

	REQUIRE(!memory->found && size <= KEY_SEARCH_MAX);
	return memory->found = key[0] == memory->right && key[size - 1] != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t sizes[] = { 16, 24, 32, 48, 64, 0, 7, 65 };
	struct memory memory = { .data = data + 2, .size = size > 2 ? size - 2 : 0 };
	struct key_search search = { read_memory, is_key, &memory, 0 };
	uint8_t key[KEY_SEARCH_MAX];
	bool found;

	if (size < 2)
		return 0;
	search.size = sizes[data[0] % ARRAY_SIZE(sizes)];
	memory.right = data[1];
	found = key_search(&search, START, key);
	REQUIRE(found == memory.found);
	if (found)
		REQUIRE(key[0] == memory.right);
	return 0;
}
