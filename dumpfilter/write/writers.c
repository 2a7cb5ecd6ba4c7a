/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All formats: for every program that has no table of its own. */
#include "dumpfilter/write/writer.h"

const struct writer_ops *const writers[] = {
	&writer_elf,
	&writer_split,
	NULL,
};
