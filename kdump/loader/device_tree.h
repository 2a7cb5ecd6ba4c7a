/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The flattened device tree that a kernel gets: an old one, edited (Linux Documentation/devicetree/bindings/chosen.txt
 *  and drivers/of/kexec.c). */
#ifndef KDUMP_LOADER_DEVICE_TREE_H
#define KDUMP_LOADER_DEVICE_TREE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/ranges.h"

/** What /chosen says to the next kernel. Addresses are physical; an empty range stands for nothing. */
struct device_tree_boot {
	const char *cmdline;
	struct kd_range initrd;
	struct kd_range elfcorehdr;    /* of a panic kernel */
	const struct kd_range *usable; /* all memory that a panic kernel may use, the most important first */
	size_t usable_count;           /* 0: everything that the tree or the firmware calls memory */
	const void *seed;              /* random bytes, or NULL */
	size_t seed_size;              /* 8 of them move the kernel in memory, the rest is for its random numbers */
};

/** *ret (owned by the caller) := @old with @boot in place of what it said to the running kernel. Everything else stays:
 *  devices, memory, what the EFI stub has written, and reserved memory but for the running kernel's initramfs. @name is
 *  for messages. KD_ERR_FORMAT: not a whole device tree; KD_ERR_LIMIT: an address that its cells cannot hold. */
struct kd_error *device_tree_make(const char *name, const void *old, size_t old_size,
				  const struct device_tree_boot *boot, void **ret, size_t *size_ret) MUST_CHECK;

/** How the firmware is called to reset the machine ("hvc", "smc"); NULL if the tree does not say. Points into @tree. */
const char *device_tree_psci_method(const void *tree, size_t size);

/** Print /chosen and the reserved memory. */
void device_tree_print(const void *tree, FILE *out);

#endif
