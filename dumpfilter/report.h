/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The result of a run as text for other programs: lines "key=value", which a shell can read, too.
 *
 *  Keys are page_size, written, shared and unreadable (pages), bytes, unfiltered and full (0 or 1), and one for each
 *  class of pages. All are there; a reader passes over those that it does not know. If pages were unreadable, there are
 *  first_unreadable (the lowest physical address) and first_unreadable_error (why) as well.
 */
#ifndef DUMPFILTER_REPORT_H
#define DUMPFILTER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "dumpfilter/dumpfilter.h"

void dumpfilter_report_write(FILE *out, const struct dumpfilter_report *report);

/** False, and *ret untouched, when the text is not whole. */
bool dumpfilter_report_read(const char *text, size_t size, struct dumpfilter_report *ret);

#endif
