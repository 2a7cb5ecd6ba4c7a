/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The ELF core header that tells the capture kernel where the crashed kernel's memory and notes are; it becomes
 *  /proc/vmcore (Linux fs/proc/vmcore.c).
 *
 *  Notes come first and side by side, as the capture kernel merges them in place: one PT_NOTE per CPU's crash_notes,
 *  then VMCOREINFO. Then one PT_LOAD for the kernel's image (a second view of memory that the others hold too) and
 *  one for each range of RAM, with p_offset = p_paddr. */
#ifndef KDUMP_LOADER_ELFCOREHDR_H
#define KDUMP_LOADER_ELFCOREHDR_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/loader/arch.h"
#include "kdump/loader/memory_map.h"

/** Build it for the machine at @root. *ret is owned by the caller (free). What /proc/kcore does not tell is left out
 *  with a remark to @log (which may be NULL). */
struct kd_error *elfcorehdr_build(const struct kd_sysroot *root, const struct loader_arch *arch,
				  const struct memory_map *memory, const struct kd_log *log, void **ret,
				  size_t *size_ret) MUST_CHECK;

#endif
