/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The modules of one kernel release: names and aliases become files in insertion order.
 *
 *  The order is that of modprobe(8): soft dependencies "pre", hard dependencies, the module itself, soft
 *  dependencies "post", each only once. Options come from modprobe.d(5); "install" commands there are ignored, since
 *  the capture environment has no shell.
 */
#ifndef INITRAMFS_MODULES_H
#define INITRAMFS_MODULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/sysroot.h"
#include "initramfs/names.h"

struct modules;

struct module_file {
	char *name;    /* with underscores, as in /proc/modules */
	char *path;    /* on this host, sysroot prefix included */
	char *options; /* "" for none */
};

/** Open the index of kernel @release below @root's /lib/modules. KD_ERR_NOT_FOUND: no such kernel, or depmod(8) has
 *  not been run for it. */
struct kd_error *modules_open(const struct kd_sysroot *root, const char *release, struct modules **ret) MUST_CHECK;
void modules_close(struct modules *modules);
DEFINE_CLEANUP(struct modules *, modules_close)

/** Add every module that @alias (a module's name or an alias such as "fs-ext4") stands for, with what each depends
 *  on. Blacklists do not apply, as the caller asks for this module.
 *  *found: the alias stands for a module. A built-in module counts, though nothing is added for it. */
struct kd_error *modules_add(struct modules *modules, const char *alias, bool *found) MUST_CHECK;

/** The names of the modules that match a device's @modalias ("pci:v…"), without those that modprobe.d blacklists.
 *  Nothing is added to the list of files. */
struct kd_error *modules_resolve(struct modules *modules, const char *modalias, struct names *ret) MUST_CHECK;

/** The names of all modules that were visited, those that are built in included. Borrowed, as below. */
const struct names *modules_visited(const struct modules *modules);

/** Add to @ret the firmware that module @name may ask for: names below /lib/firmware, and patterns of such. */
struct kd_error *modules_firmware(const struct modules *modules, const char *name, struct names *ret) MUST_CHECK;

/** The files added so far, in insertion order. Borrowed, valid until the next modules_add(). */
const struct module_file *modules_list(const struct modules *modules, size_t *count_ret);

#endif
