/* SPDX-License-Identifier: GPL-2.0-or-later */
/** BTF, the kernel's own compact description of its types (Linux Documentation/bpf/btf.rst).
 *
 *  A module's is split: it goes on counting types and string offsets where vmlinux's ends.
 */
#ifndef DUMPFILTER_NAMES_BTF_H
#define DUMPFILTER_NAMES_BTF_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "dumpfilter/names/debuginfo.h"

struct btf;

/** Take over @data (malloc'd, @size bytes; freed on error too). @base: vmlinux's, borrowed, for a module's; else NULL.
 *  KD_ERR_FORMAT: not BTF, or it contradicts itself; KD_ERR_UNSUPPORTED: a kind of type that is not known, whose size
 *  is not known either. */
struct kd_error *btf_parse(uint8_t *data, size_t size, const struct btf *base, struct btf **ret) MUST_CHECK;
void btf_destroy(struct btf *btf); /* NULL is allowed */
DEFINE_CLEANUP(struct btf *, btf_destroy)

/** Data is a struct btf. */
extern const struct types_ops btf_types;

#endif
