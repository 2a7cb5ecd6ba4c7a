/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Names that the dump itself has: kallsyms and BTF of the kernel, symbol tables and BTF of its modules. */
#ifndef DUMPFILTER_DUMP_NAMES_H
#define DUMPFILTER_DUMP_NAMES_H

#include "base/error.h"
#include "dumpfilter/address_space.h"
#include "dumpfilter/btf.h"
#include "dumpfilter/debuginfo.h"
#include "dumpfilter/kallsyms.h"

/** The kernel's. A zeroed struct is empty. */
struct dump_names {
	struct kallsyms *kallsyms;
	struct btf *btf;
	struct debuginfo info; /* once opened; lives as long as this struct */
};

/** @space is borrowed. To be released in any case. KD_ERR_NOT_FOUND: the kernel has no kallsyms that can be found, or was
 *  built without BTF; KD_ERR_FORMAT, KD_ERR_UNSUPPORTED, KD_ERR_HOLE. */
struct kd_error *dump_names_open(struct dump_names *names, struct address_space *space) MUST_CHECK;
void dump_names_release(struct dump_names *names);
static inline void dump_names_release_cleanup(struct dump_names *names)
{
	dump_names_release(names);
}

struct module_names;

/** Those of the module @name (with underscores, as the kernel spells it). @kernel: of vmlinux; symbols "modules" and
 *  "btf_modules", and the types that they lead to. Borrowed.
 *  *ret is NULL if no such module was loaded, which is no error.
 *  Types are the kernel's alone where the module has no BTF. */
struct kd_error *module_names_open(struct address_space *space, const struct debuginfo *kernel,
				   const struct btf *kernel_btf, const char *name, struct module_names **ret) MUST_CHECK;
const struct debuginfo *module_names_info(const struct module_names *module);
void module_names_close(struct module_names *module); /* NULL is allowed */
DEFINE_CLEANUP(struct module_names *, module_names_close)

#endif
