/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the capture program reads and writes: /proc/vmcore, and kdump-compressed files. */
#include <stddef.h>

#include "dumpfilter/vmcore_format.h"
#include "dumpfilter/writer.h"

const struct vmcore_format *const vmcore_formats[] = {
	&vmcore_elf,
	NULL,
};

const struct writer_ops *const writers[] = { NULL };
