/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Types from DWARF, through elfutils' libdw, which is loaded when it is needed: a dumpfilter that is put into a
 * capture image brings the libraries that it is linked with, and has no use for this one there.
 */
#ifndef DUMPFILTER_NAMES_DWARF_TYPES_H
#define DUMPFILTER_NAMES_DWARF_TYPES_H

#include "base/error.h"
#include "dumpfilter/names/debuginfo.h"

struct dwarf_types;

/** Index the types and variables of the ELF file at @fd (borrowed until closed); seconds, for a kernel.
 *  KD_ERR_UNSUPPORTED: built without libdw, or it is not installed; KD_ERR_FORMAT: no DWARF in the file. */
struct kd_error *dwarf_types_open(int fd, struct dwarf_types **ret) MUST_CHECK;
void dwarf_types_close(struct dwarf_types *types); /* NULL is allowed */

/** Data is a struct dwarf_types. */
extern const struct types_ops dwarf_types_ops;

#endif
