/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/cli/mem_usage.h"

#include "base/array.h"
#include "base/json.h"
#include "dumpfilter/pages/page_class.h"
#include "dumpfilter/vmcore/kdump_format.h"

#define BAR_WIDTH 40u

/* Zero pages have no row: they could only be found by reading all of the memory. */
static const struct {
	enum page_class class;
	unsigned int level; /* the bit of -d that leaves it out; 0: it stays */
	const char *text;
} rows[] = {
	{ PAGE_KEEP, 0, "the kernel's own, and what is not known" },
	{ PAGE_CACHE, DUMP_LEVEL_CACHE, "page cache without private data" },
	{ PAGE_CACHE_PRIVATE, DUMP_LEVEL_CACHE_PRIVATE, "page cache with private data" },
	{ PAGE_USER, DUMP_LEVEL_USER, "memory of processes, huge pages" },
	{ PAGE_FREE, DUMP_LEVEL_FREE, "free" },
	{ PAGE_UNACCEPTED, DUMP_LEVEL_FREE, "never accepted by a confidential guest" },
	{ PAGE_OFFLINE, 0, "given back by a balloon driver, never dumped" },
	{ PAGE_HWPOISON, 0, "broken, never dumped" },
};

static uint64_t total_pages(const struct dumpfilter_report *report)
{
	uint64_t total = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		total += report->pages[rows[i].class];
	return total;
}

static void print_bar(FILE *out, uint64_t pages, uint64_t total)
{
	uint64_t width = total ? (uint64_t)((double)pages / (double)total * BAR_WIDTH + 0.5) : 0;

	fputs("  ", out);
	for (unsigned int i = 0; i < BAR_WIDTH; i++)
		fputs(i < width ? "█" : " ", out);
}

static void print_table(FILE *out, const struct dumpfilter_report *report, bool bars)
{
	uint64_t total = total_pages(report);

	fprintf(out, "%-13s %12s %10s %6s %3s%*s  %s\n", "class", "pages", "MiB", "share", "-d",
		bars ? (int)BAR_WIDTH + 2 : 0, "", "what it is");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t pages = report->pages[rows[i].class];
		char level[16] = "";

		if (rows[i].level)
			snprintf(level, sizeof(level), "%u", rows[i].level);
		fprintf(out, "%-13s %12lu %10.1f %5.1f%% %3s", page_class_name(rows[i].class), pages,
			(double)pages * (double)report->page_size / (1 << 20),
			total ? 100.0 * (double)pages / (double)total : 0.0, level);
		if (bars)
			print_bar(out, pages, total);
		fprintf(out, "  %s\n", rows[i].text);
	}
	fprintf(out, "%-13s %12lu %10.1f\n", "all", total, (double)total * (double)report->page_size / (1 << 20));
	if (report->unfiltered)
		fprintf(out, "The rules do not fit this kernel: nothing can be left out.\n");
}

static void print_json(FILE *out, const struct dumpfilter_report *report)
{
	struct kd_json json = { .out = out };

	kd_json_open(&json, NULL, '{');
	kd_json_u64(&json, "page_size", report->page_size);
	kd_json_u64(&json, "total", total_pages(report));
	kd_json_bool(&json, "unfiltered", report->unfiltered);
	kd_json_open(&json, "pages", '{');
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		kd_json_u64(&json, page_class_name(rows[i].class), report->pages[rows[i].class]);
	kd_json_close(&json, '}');
	kd_json_close(&json, '}');
}

void mem_usage_print(FILE *out, const struct dumpfilter_report *report, enum mem_usage_style style)
{
	if (style == MEM_USAGE_JSON)
		print_json(out, report);
	else
		print_table(out, report, style == MEM_USAGE_CHART);
}
