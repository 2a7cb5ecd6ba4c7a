/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All formats, for a program that has no table of its own. Unlike the writers' table, this one is searched by a file's
 * first bytes, so every format has its row. */
#include <stddef.h>

#include "dumpfilter/vmcore/vmcore_format.h"

const struct vmcore_format *const vmcore_formats[] = {
	&vmcore_elf,
	&vmcore_kdump,
	&vmcore_flattened,
	NULL,
};
