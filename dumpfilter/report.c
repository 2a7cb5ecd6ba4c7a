/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/report.h"

#include "base/array.h"
#include "dumpfilter/kernel/vmcoreinfo.h"

#define FIRST  "first_unreadable"
#define REASON "first_unreadable_error"

static const struct {
	const char *key;
	size_t offset; /* of an uint64_t */
} numbers[] = {
	{ "page_size", offsetof(struct dumpfilter_report, page_size) },
	{ "written", offsetof(struct dumpfilter_report, pages_written) },
	{ "shared", offsetof(struct dumpfilter_report, pages_shared) },
	{ "unreadable", offsetof(struct dumpfilter_report, unreadable) },
	{ "vital_unreadable", offsetof(struct dumpfilter_report, vital_unreadable) },
	{ "bytes", offsetof(struct dumpfilter_report, bytes_written) },
	{ "windows", offsetof(struct dumpfilter_report, windows) },
};

static const struct {
	const char *key;
	size_t offset; /* of a bool */
} facts[] = {
	{ "unfiltered", offsetof(struct dumpfilter_report, unfiltered) },
	{ "front", offsetof(struct dumpfilter_report, front) },
	{ "full", offsetof(struct dumpfilter_report, full) },
};

void dumpfilter_report_write(FILE *out, const struct dumpfilter_report *report)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		fprintf(out, "%s=%lu\n", numbers[i].key, *(const uint64_t *)((const char *)report + numbers[i].offset));
	if (read_error_is_set(&report->first_unreadable)) {
		fprintf(out, FIRST "=%lu\n" REASON "=", report->first_unreadable.paddr);
		for (const char *p = report->first_unreadable.text; *p; p++)
			fputc(*p == '\n' ? ' ' : *p, out); /* it may name a file */
		fputc('\n', out);
	}
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		fprintf(out, "%s=%d\n", facts[i].key, *(const bool *)((const char *)report + facts[i].offset));
	for (int i = 0; i < PAGE_CLASS_COUNT; i++)
		fprintf(out, "%s=%lu\n", page_class_name((enum page_class)i), report->pages[i]);
}

bool dumpfilter_report_read(const char *text, size_t size, struct dumpfilter_report *ret)
{
	const struct vmcoreinfo lines = { text, size }; /* they look the same */
	struct dumpfilter_report report = { 0 };

	if (!size || text[size - 1] != '\n')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!vmcoreinfo_decimal(&lines, numbers[i].key, (uint64_t *)((char *)&report + numbers[i].offset)))
			return false;
	for (int i = 0; i < PAGE_CLASS_COUNT; i++)
		if (!vmcoreinfo_decimal(&lines, page_class_name((enum page_class)i), &report.pages[i]))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		uint64_t value;

		if (!vmcoreinfo_decimal(&lines, facts[i].key, &value))
			return false;
		*(bool *)((char *)&report + facts[i].offset) = value;
	}
	if (vmcoreinfo_decimal(&lines, FIRST, &report.first_unreadable.paddr))
		vmcoreinfo_get_string(&lines, REASON, report.first_unreadable.text,
				      sizeof(report.first_unreadable.text));
	*ret = report;
	return true;
}

bool dumpfilter_report_is_complete(const struct dumpfilter_report *report)
{
	uint64_t pages = report->pages_written + report->unreadable;

	return !report->vital_unreadable && report->unreadable <= pages / 100 * DUMPFILTER_UNREADABLE_PERCENT;
}
