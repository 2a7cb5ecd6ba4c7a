/* SPDX-License-Identifier: GPL-2.0-or-later */
/** VMCOREINFO that the kernel has not written: made from symbols and types.
 *
 *  For a vmcore without the note, for keys that this kernel's note lacks, and for a file to be kept beside a vmlinux.
 *  What only runs in a kernel's macros (sizes of sections, of addresses) cannot be made; the architectures know it.
 */
#ifndef DUMPFILTER_NAMES_VMCOREINFO_MAKE_H
#define DUMPFILTER_NAMES_VMCOREINFO_MAKE_H

#include <stdbool.h>

#include "base/error.h"
#include "dumpfilter/kernel/vmcoreinfo.h"
#include "dumpfilter/names/debuginfo.h"

/** The lines for all keys that @info can give and @have lacks (a zeroed one lacks all). *ret is malloc'd, perhaps "".
 */
struct kd_error *vmcoreinfo_make(const struct debuginfo *info, const struct vmcoreinfo *have, char **ret) MUST_CHECK;

/** Does @have lack something that every filtered dump needs? */
bool vmcoreinfo_lacks(const struct vmcoreinfo *have);

/** @more and behind it @own, whose values win: malloc'd, NUL behind it. NULL: no memory. */
char *vmcoreinfo_join(const char *more, const struct vmcoreinfo *own);

#endif
