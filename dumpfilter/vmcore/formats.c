/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All formats: for every program that has no table of its own. */
#include <stddef.h>

#include "dumpfilter/vmcore/vmcore_format.h"

const struct vmcore_format *const vmcore_formats[] = {
	&vmcore_elf,
	&vmcore_kdump,
	&vmcore_flattened,
	NULL,
};
