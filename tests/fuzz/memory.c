/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page tables, sections, struct pages and VMCOREINFO as an enemy would write them: a filter's whole run. What comes out
 * is a dump whose tables hold together, or an error. */
#include <stdio.h>
#include <unistd.h>

#include "dumpfilter/dumpfilter.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hostile.h"
#include "tests/unit/dump-check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dumpfilter_options options = { 0 };
	struct dumpfilter_report report;
	struct dump_check check;
	struct hostile hostile;
	char out[64];

	snprintf(out, sizeof(out), "%s/dump", fuzz_directory());
	hostile_make(data, size, &hostile);
	options.level = hostile.level;
	if (!fuzz_error(dumpfilter_run(hostile.path, out, &options, &report))) {
		REQUIRE(!dump_check(out, &check));
		REQUIRE(!check.incomplete && check.size <= HOSTILE_DUMP_MAX);
		REQUIRE(check.filled == report.pages_written);
		REQUIRE(check.pages == report.pages_written + report.unreadable);
	}
	unlink(out);
	return 0;
}
