/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats that a program reads which has no table of its own: all. A file is in the first one whose magic it
 * begins with. */
#include <stddef.h>

#include "dumpfilter/vmcore/vmcore_format.h"

const struct vmcore_format *const vmcore_formats[] = {
	&vmcore_elf,
	&vmcore_kdump,
	&vmcore_flattened,
	NULL,
};
