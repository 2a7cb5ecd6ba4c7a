/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The format of /proc/vmcore: filtered dumps are not read in the capture kernel. */
#include <stddef.h>

#include "dumpfilter/vmcore_format.h"

const struct vmcore_format *const vmcore_formats[] = {
	&vmcore_elf,
	NULL,
};
