/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats of the programs that look at dumps: all of them. */
#include <stddef.h>

#include "dumpfilter/vmcore_format.h"

const struct vmcore_format *const vmcore_formats[] = {
	&vmcore_elf,
	&vmcore_kdump,
	&vmcore_flattened,
	NULL,
};
