/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The editor of kernel command lines: up to the first newline the command line, then the names to remove. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kdump/loader/cmdline.h"
#include "kdump/loader/loader.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size), *kept = NULL, *again = NULL, *complete = NULL;
	char *remove = text, *cmdline = strsep(&remove, "\n");

	if (!remove)
		remove = text + strlen(text);
	if (fuzz_error(loader_cmdline_remove(cmdline, remove, &kept)))
		return 0;
	REQUIRE(strlen(kept) <= strlen(cmdline));
	if (!fuzz_error(loader_cmdline_remove(kept, remove, &again)))
		REQUIRE(strcmp(kept, again) == 0);
	if (fuzz_error(loader_complete_cmdline(cmdline, remove, &complete)))
		return 0;
	cmdline_has(complete, remove);
	return 0;
}
