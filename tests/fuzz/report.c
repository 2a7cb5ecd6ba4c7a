/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directory of a dump as kdumpctl reads it, and the HTML page of it. The input: the report, a NUL, the log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "kdump/dumps/dumps.h"
#include "kdump/verbs/html.h"
#include "tests/fuzz/fuzz.h"

static void put(const char *name, const void *data, size_t size)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/127.0.0.1-2026-11-24-02:00:23/%s", fuzz_directory(), name);
	out = fopen(path, "we");
	REQUIRE(out && fwrite(data, 1, size, out) == size && fclose(out) == 0);
}

/* No text of a dump becomes markup. */
static void write_page(const struct dump *dump)
{
	_cleanup_free_ char *page = NULL;
	size_t size;
	FILE *out = open_memstream(&page, &size);

	REQUIRE(out && !fuzz_error(html_write(out, dump)) && fclose(out) == 0);
	REQUIRE(!strcasestr(page, "<script") && !strcasestr(page, "<img"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool made;
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	size_t report_size = nul ? (size_t)(nul - data) : size;
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	char path[96];

	if (!made) {
		snprintf(path, sizeof(path), "%s/127.0.0.1-2026-11-24-02:00:23", fuzz_directory());
		REQUIRE(mkdir(path, 0700) == 0);
		put("vmcore", "KDUMP   ", 8);
		made = true;
	}
	put("report.json", data, report_size);
	put("vmcore-dmesg.txt", nul ? (const char *)nul + 1 : "", nul ? size - report_size - 1 : 0);
	if (fuzz_error(dumps_load(fuzz_directory(), DUMPS_OF_MACHINE, NULL, &dumps)))
		return 0;
	REQUIRE(dumps.count == 1 && dump_reason(&dumps.dump[0]));
	write_page(&dumps.dump[0]);
	return 0;
}
