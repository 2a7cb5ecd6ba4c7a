/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Prints the use of the memory as a table for people or programs. */
#ifndef DUMPFILTER_CLI_MEM_USAGE_H
#define DUMPFILTER_CLI_MEM_USAGE_H

#include <stdio.h>

#include "dumpfilter/dumpfilter.h"

enum mem_usage_style {
	MEM_USAGE_TABLE,
	MEM_USAGE_CHART, /* a table with a bar for each class: for a terminal */
	MEM_USAGE_JSON,
};

/** @report: of dumpfilter_census(). */
void mem_usage_print(FILE *out, const struct dumpfilter_report *report, enum mem_usage_style style);

#endif
