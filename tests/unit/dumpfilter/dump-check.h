/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Does a dump file hold together? What every reader relies on, whatever is in the pages. */
#ifndef TESTS_UNIT_DUMPFILTER_DUMP_CHECK_H
#define TESTS_UNIT_DUMPFILTER_DUMP_CHECK_H

#include <stdbool.h>
#include <stdint.h>

struct dump_check {
	bool incomplete; /* its header says so */
	uint64_t pages;  /* in bitmap 2 */
	uint64_t filled; /* page_descs that lead to data */
	uint64_t size;   /* of the file */
};

/** Headers, bitmaps and page_descs of the kdump file @path. NULL, or what is wrong with it. */
const char *dump_check(const char *path, struct dump_check *ret);

#endif
