/* SPDX-License-Identifier: GPL-2.0-or-later */
/* extlinux.conf. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "kdump/boot/read_menu.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size);
	_cleanup_(boot_entries_free) struct boot_entries entries = { 0 };

	if (fuzz_error(read_menu_extlinux_text(text, &entries)))
		return 0;
	REQUIRE(entries.why && *entries.why);
	REQUIRE(entries.next < entries.count || entries.next == 0);
	for (size_t i = 0; i < entries.count; i++)
		REQUIRE(entries.entry[i].index == i && entries.entry[i].options);
	return 0;
}
