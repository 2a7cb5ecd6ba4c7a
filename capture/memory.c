/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/memory.h"

#include "base/proc.h"

bool memory_parse(const char *meminfo, uint64_t *total, uint64_t *available)
{
	return kd_proc_figure(meminfo, "MemTotal", total) && kd_proc_figure(meminfo, "MemAvailable", available) &&
	       *available <= *total;
}

void memory_note(struct memory_use *use, const struct kd_sysroot *root)
{
	_cleanup_free_ char *text = NULL;
	uint64_t total, available;
	struct kd_error *err = kd_sysroot_read(root, "/proc/meminfo", &text, NULL);

	if (err) {
		kd_error_destroy(err); /* only a figure for the report */
		return;
	}
	if (!memory_parse(text, &total, &available))
		return;
	use->total = total;
	if (total - available > use->peak)
		use->peak = total - available;
}
