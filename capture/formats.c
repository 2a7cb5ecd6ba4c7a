/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the capture program reads and writes: /proc/vmcore, and kdump-compressed files. */
#include <stddef.h>

#include "dumpfilter/vmcore/vmcore_format.h"
#include "dumpfilter/write/writer.h"

const struct vmcore_format *const vmcore_formats[] = {
	&vmcore_elf,
	NULL,
};

const struct writer_ops *const writers[] = { NULL };
