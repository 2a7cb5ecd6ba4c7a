/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The erase configuration, resolved in hostile memory by names that are hostile too: its text, a NUL, the memory
 * (hostile.h). */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dumpfilter/names/dump_names.h"
#include "dumpfilter/pages/erase_config.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hostile.h"

static struct kd_error *open_names(void *arg, const char *object, const struct debuginfo **ret)
{
	const struct dump_names *names = arg;

	*ret = strcmp(object, "vmlinux") == 0 ? &names->info : NULL;
	return NULL;
}

static void apply(const struct erase *erase)
{
	static uint8_t page[4096], copy[4096];

	for (size_t i = 0; i < erase->count; i++) {
		const struct erase_range *range = &erase->range[i];
		const uint8_t *after = erase_apply(erase, range->start & ~UINT64_C(4095), page, sizeof(page), copy);

		REQUIRE(range->start < range->end && (range->start ^ (range->end - 1)) < sizeof(page));
		REQUIRE(after[range->start % sizeof(page)] == range->fill || range->fill == 0 || i > 0);
	}
}

static void resolve(const struct erase_config *config, const struct hostile *hostile)
{
	_cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
	_cleanup_(address_space_release) struct address_space space = { 0 };
	_cleanup_(dump_names_release) struct dump_names names = { 0 };
	_cleanup_(erase_release) struct erase erase = { 0 };
	const struct erase_names lookup = { .open = open_names, .arg = &names };
	struct vmcoreinfo info;

	if (fuzz_error(vmcore_open(hostile->path, &vmcore)))
		return;
	info.text = vmcore_vmcoreinfo(vmcore, &info.size);
	if (fuzz_error(address_space_init(&space, vmcore, &info, NULL)) || fuzz_error(dump_names_open(&names, &space)))
		return;
	fuzz_error(erase_config_resolve(config, &lookup, &space, hostile->level & 1, NULL, &erase));
	erase_sort(&erase);
	apply(&erase);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	size_t text_size = nul ? (size_t)(nul - data) : size;
	_cleanup_free_ char *text = fuzz_text(data, text_size);
	_cleanup_(erase_config_destroy) struct erase_config *config = NULL;
	struct hostile hostile;
	uint8_t *memory;

	if (fuzz_error(erase_config_parse(text, "erase.conf", &config)))
		return 0;
	memory = malloc(size - text_size + 1);
	REQUIRE(memory);
	memory[0] = 128;
	if (nul)
		memcpy(memory, nul, size - text_size);
	memory[0] |= 128;
	hostile_make(memory, size - text_size ? size - text_size : 1, &hostile);
	free(memory);
	resolve(config, &hostile);
	return 0;
}
