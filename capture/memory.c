/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/memory.h"

#include <stdlib.h>
#include <string.h>

/* The number behind @key, which stands at the start of a line; kB to bytes. */
static bool find_kb(const char *text, const char *key, uint64_t *ret)
{
	const char *line = strstr(text, key);

	if (!line)
		return false;
	*ret = strtoull(line + strlen(key), NULL, 10) * 1024;
	return true;
}

bool memory_parse(const char *meminfo, uint64_t *total, uint64_t *available)
{
	return find_kb(meminfo, "MemTotal:", total) && find_kb(meminfo, "MemAvailable:", available) &&
	       *available <= *total;
}

void memory_note(struct memory_use *use, const struct kd_sysroot *root)
{
	_cleanup_free_ char *text = NULL;
	uint64_t total, available;
	struct kd_error *err = kd_sysroot_read(root, "/proc/meminfo", &text, NULL);

	if (err) {
		kd_error_destroy(err); /* a figure for the report, nothing depends on it */
		return;
	}
	if (!memory_parse(text, &total, &available))
		return;
	use->total = total;
	if (total - available > use->peak)
		use->peak = total - available;
}
