/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats that an option selects, for a program that has no table of its own. Without such an option the program
 * writes writer_kdump, which therefore is not in the table. */
#include "dumpfilter/write/writer.h"

const struct writer_ops *const writers[] = {
	&writer_elf,
	&writer_split,
	NULL,
};
