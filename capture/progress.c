/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/progress.h"

#include <inttypes.h>
#include <stdio.h>

void progress_format(char *buf, size_t size, uint64_t done, uint64_t total, uint64_t page_size, int64_t elapsed_ms)
{
	double mb = page_size / 1e6, seconds = elapsed_ms / 1e3, left;
	uint64_t percent, whole;
	int used;

	if (done > total)
		done = total;
	percent = total ? (uint64_t)(100.0 * done / total) : 0;
	used = snprintf(buf, size, "saving: %" PRIu64 " %% of %" PRIu64 " MB", percent, (uint64_t)(total * mb));
	if (!done || seconds <= 0 || used < 0 || (size_t)used >= size)
		return;
	left = (total - done) * seconds / done;
	whole = left < 359999 ? (uint64_t)(left + 0.5) : 359999;
	if (whole >= 3600)
		snprintf(buf + used, size - used, ", %" PRIu64 " MB/s, %" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " left",
			 (uint64_t)(done * mb / seconds), whole / 3600, whole / 60 % 60, whole % 60);
	else
		snprintf(buf + used, size - used, ", %" PRIu64 " MB/s, %" PRIu64 ":%02" PRIu64 " left",
			 (uint64_t)(done * mb / seconds), whole / 60, whole % 60);
}
