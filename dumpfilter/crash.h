/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A vmcore that is being worked on, and the kernel's memory in it, as far as that can be made sense of. */
#ifndef DUMPFILTER_CRASH_H
#define DUMPFILTER_CRASH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "dumpfilter/address_space.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/erase.h"
#include "dumpfilter/vmcore.h"
#include "dumpfilter/vmcoreinfo.h"

struct crash {
	struct vmcore *vmcore;
	struct vmcoreinfo info;
	char *info_text; /* info, where it is more than what the vmcore has */
	struct address_space space;
	bool readable; /* by virtual addresses */
	const char *machine;
	struct erase erase;
	uint8_t *notes; /* the vmcore's and VMCOREINFO, where it had none */
};

/** Open @path; space, erase and notes are left for later. @options may be NULL. To be closed in any case.
 *  As vmcore_open(); KD_ERR_UNSUPPORTED (architecture, Xen); what options->vmcoreinfo returns. */
struct kd_error *crash_open(struct crash *crash, const char *path, const struct dumpfilter_options *options) MUST_CHECK;
void crash_close(struct crash *crash);
static inline void crash_close_cleanup(struct crash *crash)
{
	crash_close(crash);
}

/** What VMCOREINFO lacks, this kernel's own symbols and types may tell. Without them it is as if they had not been asked.
 *  The memory has to be readable. */
void crash_learn_info(struct crash *crash, const struct dumpfilter_options *options);

#endif
