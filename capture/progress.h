/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The progress of a dump, for a person at the console of a machine that is down. */
#ifndef CAPTURE_PROGRESS_H
#define CAPTURE_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

/** "saving: 41 % of 1999 MB, 118 MB/s, 0:10 left". @done and @total in pages of @page_size bytes. */
void progress_format(char *buf, size_t size, uint64_t done, uint64_t total, uint64_t page_size, int64_t elapsed_ms);

#endif
