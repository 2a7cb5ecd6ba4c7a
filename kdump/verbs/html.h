/* SPDX-License-Identifier: GPL-2.0-or-later */
/** One dump as one page for a browser: nothing is fetched, no script is run, it reads well on a phone. */
#ifndef KDUMP_VERBS_HTML_H
#define KDUMP_VERBS_HTML_H

#include <stdio.h>

#include "kdump/dumps/dumps.h"

/** Classes of pages as reports have them (report.json, pages), in the order in which they are shown. */
#define DUMP_CLASSES 9
struct dump_class {
	const char *key;    /* in the report */
	const char *name;   /* for people */
	const char *colour; /* in the page */
};
extern const struct dump_class dump_classes[DUMP_CLASSES];

/** Memory of class @class in the dead machine, in bytes; each page counts once. */
uint64_t dump_class_bytes(const struct dump *dump, size_t class);

/** Write the page. Whatever comes from the dump is escaped. KD_ERR_OS. */
struct kd_error *html_write(FILE *out, const struct dump *dump) MUST_CHECK;

#endif
