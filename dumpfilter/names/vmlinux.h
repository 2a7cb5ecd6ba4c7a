/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A vmlinux file: symbols from its symbol table, types from DWARF (with libdw, where that can be loaded) or BTF. */
#ifndef DUMPFILTER_NAMES_VMLINUX_H
#define DUMPFILTER_NAMES_VMLINUX_H

#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "dumpfilter/names/debuginfo.h"

struct vmlinux;

/** KD_ERR_OS; KD_ERR_FORMAT: no ELF file, or one that was stripped of symbols or types; KD_ERR_UNSUPPORTED. */
struct kd_error *vmlinux_open(const char *path, const struct kd_log *log, struct vmlinux **ret) MUST_CHECK;
void vmlinux_close(struct vmlinux *vmlinux); /* NULL is allowed */
DEFINE_CLEANUP(struct vmlinux *, vmlinux_close)

const char *vmlinux_path(const struct vmlinux *vmlinux);

/** How far the kernel was moved from where the file has it (KASLR); symbols are given with it. 0 at first. */
void vmlinux_move(struct vmlinux *vmlinux, uint64_t offset);

/** Borrowed. */
const struct debuginfo *vmlinux_debuginfo(const struct vmlinux *vmlinux);

/** The kernel's release and build ID (hex); "" if the file does not say. Borrowed. */
const char *vmlinux_release(const struct vmlinux *vmlinux);
const char *vmlinux_build_id(const struct vmlinux *vmlinux);

/** The size of the pages of its architecture; 0 if that has several. */
unsigned int vmlinux_page_size(const struct vmlinux *vmlinux);

#endif
