/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The memory of the machine that crashed, by classes of pages, as the report of a capture counts them. */
#ifndef KDUMP_DUMPS_CLASSES_H
#define KDUMP_DUMPS_CLASSES_H

#include <stddef.h>
#include <stdint.h>

#include "kdump/dumps/dumps.h"

/** The classes in report.json (pages), in the order in which they are shown. */
#define DUMP_CLASSES 9
struct dump_class {
	const char *key;    /* in the report */
	const char *name;   /* for people */
	const char *colour; /* on a page */
};
extern const struct dump_class dump_classes[DUMP_CLASSES];

/** Bytes of each class in @dump; each page counts once. Returns their sum, 0 if the report has no figures. */
uint64_t dump_class_bytes(const struct dump *dump, uint64_t bytes[DUMP_CLASSES]);

#endif
