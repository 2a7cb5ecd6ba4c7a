/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The crashed kernel's log, out of its memory (Linux kernel/printk/printk_ringbuffer.c; before 5.10, 896fbe20b4e2
 *  "printk: use the lockless ringbuffer", kernel/printk/printk.c, struct printk_log). Needs no mem_map. */
#ifndef DUMPFILTER_KERNEL_DMESG_H
#define DUMPFILTER_KERNEL_DMESG_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "dumpfilter/kernel/address_space.h"

/** Write every record, oldest first: "[%5llu.%06llu] text", further lines of a record indented as far. Characters
 *  that are neither printable nor blank become \xNN. @since_clear: only what came after the log was last cleared.
 *  Damaged records are passed over: a line stands in their place, and @space's log gets a warning. If no record is
 * left, the first damage is the error. KD_ERR_FORMAT if VMCOREINFO describes no log; KD_ERR_HOLE if it is not in the
 * dump; KD_ERR_OS (writing); KD_ERR_UNSUPPORTED (@since_clear, with a kernel before 5.10). */
struct kd_error *dmesg_write(struct address_space *space, bool since_clear, FILE *out) MUST_CHECK;

/** Remember in @frames every page of the buffers that hold records. Best effort: a log that cannot be found, or that is
 *  too large for this machine, has none. */
void dmesg_find_frames(struct address_space *space, struct kd_ranges *frames);

#endif
