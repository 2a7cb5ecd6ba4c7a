/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The ELF core header: it tells the capture kernel where the crashed kernel's memory and notes are. The capture kernel
 *  makes /proc/vmcore of it (Linux fs/proc/vmcore.c).
 *
 *  Notes come first and side by side, since the capture kernel merges them in place: one PT_NOTE for the crash_notes of
 *  each CPU, then VMCOREINFO. One PT_LOAD follows for the kernel's image (a second view of memory that is in another
 *  PT_LOAD too), and one for each range of RAM, with p_offset = p_paddr. */
#ifndef KDUMP_LOADER_ELFCOREHDR_H
#define KDUMP_LOADER_ELFCOREHDR_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/loader/arch.h"
#include "kdump/loader/memory_map.h"

/** Build the header for the machine at @root. *ret is owned by the caller (free). If /proc/kcore cannot be read,
 *  virtual addresses are left out, with a line to @log (may be NULL). */
struct kd_error *elfcorehdr_build(const struct kd_sysroot *root, const struct loader_arch *arch,
				  const struct memory_map *memory, const struct kd_log *log, void **ret,
				  size_t *size_ret) MUST_CHECK;

/** The program headers of /proc/kcore: what the running kernel has mapped, and where. *ret is owned by the caller
 *  (free). */
struct kd_error *elfcorehdr_read_kcore(const struct kd_sysroot *root, Elf64_Phdr **ret, size_t *count_ret) MUST_CHECK;

#endif
