/* SPDX-License-Identifier: GPL-2.0-or-later */
/** An open vmcore, and the crashed kernel's memory in it, as far as it can be read by virtual addresses. */
#ifndef DUMPFILTER_CRASHED_KERNEL_H
#define DUMPFILTER_CRASHED_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/kernel/vmcoreinfo.h"
#include "dumpfilter/pages/erase.h"
#include "dumpfilter/vmcore/vmcore.h"

struct crash {
	struct vmcore *vmcore;
	struct vmcoreinfo info;
	char *info_text; /* info, where it is more than what the vmcore has */
	struct address_space space;
	struct kd_error *problem; /* why the memory cannot be read by virtual addresses; NULL: it can */
	const char *machine;
	struct erase erase;
	uint8_t *notes; /* the vmcore's and VMCOREINFO, where it had none */
};

/** Open @path; space, erase and notes are filled later. @options may be NULL. Close it even after an error. Errors:
 *  those of vmcore_open(); KD_ERR_UNSUPPORTED (architecture, Xen); those of options->vmcoreinfo. */
struct kd_error *crash_open(struct crash *crash, const char *path, const struct dumpfilter_options *options) MUST_CHECK;
void crash_close(struct crash *crash);
static inline void crash_close_cleanup(struct crash *crash)
{
	crash_close(crash);
}

/** Find the kernel's tables, and walk them. If that fails, crash->problem says why. */
void crash_explore(struct crash *crash, const struct dumpfilter_options *options);

#endif
