/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats that a program which has no table of its own writes when an option asks for them. writer_kdump, for which
 * there is no option, is the one that is written otherwise. */
#include "dumpfilter/write/writer.h"

const struct writer_ops *const writers[] = {
	&writer_elf,
	&writer_split,
	NULL,
};
