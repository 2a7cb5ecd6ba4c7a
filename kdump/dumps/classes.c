/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/classes.h"

#include <stdio.h>

const struct dump_class dump_classes[DUMP_CLASSES] = {
	{ "keep", "kernel and other data", "#3b6ea5" },
	{ "zero", "kept, all zeros", "#8fb3d9" },
	{ "user", "user programs", "#c78a2c" },
	{ "cache", "page cache", "#5a9367" },
	{ "cache_private", "page cache, private", "#8cc09a" },
	{ "free", "free", "#b9bec5" },
	{ "hwpoison", "hardware poisoned", "#b03a3a" },
	{ "offline", "offline", "#6b6f76" },
	{ "unaccepted", "not accepted", "#85888d" },
};

static uint64_t class_bytes(const struct dump *dump, size_t class)
{
	char path[48];
	uint64_t page_size = report_u64(dump->report, "pages.page_size"), pages, zero;

	snprintf(path, sizeof(path), "pages.%s", dump_classes[class].key);
	pages = report_u64(dump->report, path);
	/* The kept pages include the zero pages. */
	if (class == 0) {
		zero = report_u64(dump->report, "pages.zero");
		pages -= zero < pages ? zero : pages;
	}
	return page_size && pages <= UINT64_MAX / page_size ? pages * page_size : 0;
}

uint64_t dump_class_bytes(const struct dump *dump, uint64_t bytes[DUMP_CLASSES])
{
	uint64_t all = 0;
	size_t i;

	for (i = 0; i < DUMP_CLASSES; i++) {
		bytes[i] = class_bytes(dump, i);
		/* A report can lie: a class that would overflow the sum counts as empty. */
		if (bytes[i] > UINT64_MAX - all)
			bytes[i] = 0;
		all += bytes[i];
	}
	return all;
}
