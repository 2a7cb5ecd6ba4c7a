/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The crashed kernel's own table of symbols, in its memory (Linux kernel/kallsyms.c, scripts/kallsyms.c).
 *
 *  VMCOREINFO says where it lies since 6.0 (5fd8fea935a1 "vmcoreinfo: include kallsyms symbols"). Names are compressed:
 *  each is a row of tokens. Addresses are 32-bit values that three rules have been used for; the one that gives the
 *  known address of a symbol is taken.
 */
#ifndef DUMPFILTER_NAMES_KALLSYMS_H
#define DUMPFILTER_NAMES_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/names/debuginfo.h"

struct kallsyms;

/** @space is borrowed. Reads the names; addresses are read when they are asked for. KD_ERR_NOT_FOUND: VMCOREINFO does
 *  not say where the table is; KD_ERR_FORMAT: it is damaged; KD_ERR_HOLE. */
struct kd_error *kallsyms_open(struct address_space *space, struct kallsyms **ret) MUST_CHECK;
void kallsyms_close(struct kallsyms *kallsyms); /* NULL is allowed */
DEFINE_CLEANUP(struct kallsyms *, kallsyms_close)

#define KALLSYMS_FIND_MAX 32u

/** The first symbol of each of @count names (KALLSYMS_FIND_MAX at most), all found in one pass; an address is 0 where
 *  there is none, or it cannot be read. */
void kallsyms_find_all(struct kallsyms *kallsyms, const char *const *name, size_t count, uint64_t *ret);

/** Data is a struct kallsyms. */
extern const struct symbols_ops kallsyms_symbols;

#endif
