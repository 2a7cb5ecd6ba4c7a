/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Names of a module of the crashed kernel: its symbol table and BTF, out of the dump (Linux include/linux/module.h,
 *  kernel/bpf/btf.c). */
#ifndef DUMPFILTER_NAMES_MODULE_NAMES_H
#define DUMPFILTER_NAMES_MODULE_NAMES_H

#include "base/error.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/names/btf.h"
#include "dumpfilter/names/debuginfo.h"

struct module_names;

/** Those of the module @name (with underscores, as the kernel spells it). @kernel: of vmlinux; symbols "modules" and
 *  "btf_modules", and the types that they lead to. Borrowed. *ret is NULL if the module was not loaded, which is not an
 *  error. Types are the kernel's alone where the module has no BTF. */
struct kd_error *module_names_open(struct address_space *space, const struct debuginfo *kernel,
				   const struct btf *kernel_btf, const char *name,
				   struct module_names **ret) MUST_CHECK;
const struct debuginfo *module_names_info(const struct module_names *module);
void module_names_close(struct module_names *module); /* NULL is allowed */
DEFINE_CLEANUP(struct module_names *, module_names_close)

#endif
