/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats of the capture program. It reads /proc/vmcore, which is ELF, and writes kdump-compressed files, whose
 * writer every program has and no table names. For any other format dumpfilter runs as a program of the image. */
#include <stddef.h>

#include "dumpfilter/vmcore/vmcore_format.h"
#include "dumpfilter/write/writer.h"

const struct vmcore_format *const vmcore_formats[] = {
	&vmcore_elf,
	NULL,
};

const struct writer_ops *const writers[] = { NULL };
