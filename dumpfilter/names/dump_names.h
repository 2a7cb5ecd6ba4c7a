/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Names that the dump itself has: kallsyms and BTF of the kernel. */
#ifndef DUMPFILTER_NAMES_DUMP_NAMES_H
#define DUMPFILTER_NAMES_DUMP_NAMES_H

#include "base/error.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/names/btf.h"
#include "dumpfilter/names/debuginfo.h"
#include "dumpfilter/names/kallsyms.h"

/** The kernel's. A zeroed struct is empty. */
struct dump_names {
	struct kallsyms *kallsyms;
	struct btf *btf;
	struct debuginfo info; /* once opened; lives as long as this struct */
};

/** @space is borrowed. To be released in any case. KD_ERR_NOT_FOUND: the kernel has no kallsyms that can be found, or
 * was built without BTF; KD_ERR_FORMAT, KD_ERR_UNSUPPORTED, KD_ERR_HOLE. */
struct kd_error *dump_names_open(struct dump_names *names, struct address_space *space) MUST_CHECK;
void dump_names_release(struct dump_names *names);
static inline void dump_names_release_cleanup(struct dump_names *names)
{
	dump_names_release(names);
}

/** BTF at @vaddr, @size bytes of it; @base as for btf_parse(). */
struct kd_error *dump_names_read_btf(struct address_space *space, uint64_t vaddr, uint64_t size, const struct btf *base,
				     struct btf **ret) MUST_CHECK;

#endif
