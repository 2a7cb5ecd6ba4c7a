/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The programs of an initramfs that open LUKS volumes, and what they are asked for. */
#ifndef KDUMP_UNLOCK_OPENERS_H
#define KDUMP_UNLOCK_OPENERS_H

#include <stdbool.h>
#include <stddef.h>

struct opener {
	const char *name; /* of the program */
	/* Is it asked to open a volume? Then *device and *volume are that one's device and the name of the mapping. */
	bool (*is_asked)(char *const *argv, const char **device, const char **volume);
	bool goes_on; /* it is content with a volume that is open */
};

extern const struct opener openers[]; /* ends with a row without a name */

/** Where they are; NULL ends the list. */
extern const char *const opener_paths[];

/** The last component of @path. */
const char *opener_base(const char *path);

/** The opener of this name, or path; NULL: there is none. */
const struct opener *opener_find(const char *name);

/** Take the words out of @argv that hand UNLOCK_PROGRAM over as a key file: it is none. */
void opener_clean(char **argv);

#endif
