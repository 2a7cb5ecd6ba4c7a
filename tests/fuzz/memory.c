/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page tables, sections, struct pages and VMCOREINFO as an attacker would write them: a whole run of the filter. What
 * comes out is a dump whose tables hold together, or an error; and the same pages are in it when it is made in cycles,
 * as the last byte of the input may want. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dumpfilter/dumpfilter.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hostile.h"
#include "tests/unit/dumpfilter/dump-check.h"

#define WINDOW_PAGES 1024u

/* Is there a dump? */
static bool run(const struct hostile *hostile, const char *out, const struct dumpfilter_options *options,
		struct dumpfilter_report *report)
{
	struct dump_check check;
	bool made = !fuzz_error(dumpfilter_run(hostile->path, out, options, report));

	if (made) {
		REQUIRE(!dump_check(out, &check));
		REQUIRE(!check.incomplete && check.size <= HOSTILE_DUMP_MAX);
		REQUIRE(check.filled == report->pages_written);
		REQUIRE(check.pages == report->pages_written + report->unreadable);
	}
	unlink(out);
	return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dumpfilter_options options = { 0 };
	struct dumpfilter_report report, cycled;
	struct hostile hostile;
	char out[64];
	bool made;

	snprintf(out, sizeof(out), "%s/dump", fuzz_directory());
	hostile_make(data, size, &hostile);
	options.level = hostile.level;
	made = run(&hostile, out, &options, &report);
	if (size == 0 || data[size - 1] % 4)
		return 0;
	options.window_pages = WINDOW_PAGES * (1 + data[size - 1] / 4);
	REQUIRE(run(&hostile, out, &options, &cycled) == made);
	if (!made)
		return 0;
	REQUIRE(memcmp(cycled.pages, report.pages, sizeof(report.pages)) == 0);
	REQUIRE(cycled.pages_written == report.pages_written && cycled.unreadable == report.unreadable);
	REQUIRE(cycled.unfiltered == report.unfiltered && cycled.vital_unreadable == report.vital_unreadable);
	return 0;
}
