/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The result of a run as text for other programs: lines "key=value", which a shell can read, too.
 *
 *  Keys are page_size, written, shared, unreadable and vital_unreadable (pages), bytes, unfiltered, front and full (0
 *  or 1), and one for each class of pages. All are there; a reader passes over those that it does not know. If pages
 *  were unreadable, there are first_unreadable (the lowest physical address) and first_unreadable_error (why) as well.
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

/** Of the pages that a dump should have, more than this part (in percent) could not be read: it is incomplete. */
#define DUMPFILTER_UNREADABLE_PERCENT 1

/** Does it have every vital page, and nearly all of the others, as above? @report: of a run without an error. */
bool dumpfilter_report_is_complete(const struct dumpfilter_report *report);

#endif
