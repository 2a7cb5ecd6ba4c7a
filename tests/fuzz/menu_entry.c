/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An entry of the Boot Loader Specification, type 1. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kdump/boot/read_menu.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size);
	_cleanup_(boot_entries_free) struct boot_entries entries = { 0 };
	struct menu_sort_key key = { 0 };
	bool failed = fuzz_error(read_menu_specification(text, "x.conf", &entries, &key));

	free(key.sort_key);
	free(key.machine);
	free(key.version);
	if (failed)
		return 0;
	REQUIRE(entries.count == 1);
	REQUIRE(strcmp(entries.entry[0].id, "x.conf") == 0);
	for (char **file = entries.entry[0].initrd; file && *file; file++)
		REQUIRE(**file && !strpbrk(*file, " \t\n"));
	return 0;
}
