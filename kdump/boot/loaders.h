/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Boot loaders: how each one is detected, which files contain its command lines, and which command applies a change.
 */
#ifndef KDUMP_BOOT_LOADERS_H
#define KDUMP_BOOT_LOADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/boot/regions.h"

enum { BOOT_COMMAND_WORDS = 8 };

struct boot_loader {
	const char *name;
	/* Do its files and tools show that it boots this machine? */
	bool (*detect)(const struct kd_sysroot *root);
	struct kd_error *(*read)(const struct kd_sysroot *root, struct boot_config *ret);
	bool per_kernel; /* each entry has its own command line, so that --kernel=PATH works */
	bool indexed;    /* messages give the "grub entry index=N" of each entry, as Red Hat's do */
	/* The file that gets a new line if no region takes the parameter; NULL: no file does. */
	const char *(*add_to)(const struct kd_sysroot *root);
	const char *add_before, *add_after;
	/* The commands that apply changed files: the first one whose program exists is run. */
	const char *const (*commands)[BOOT_COMMAND_WORDS];
	const char *const *generated; /* the files that the commands write, NULL-terminated */
};

/** The loader called @name; NULL: the one that boots this machine. KD_ERR_USAGE: there is no such name;
 *  KD_ERR_NOT_FOUND: no known loader was detected; the text says what to do by hand. */
struct kd_error *boot_loader_choose(const struct kd_sysroot *root, const char *name,
				    const struct boot_loader **ret) MUST_CHECK;

/** The command to run, a NULL-terminated list; NULL: no command is needed, or none is installed. */
const char *const *boot_loader_command(const struct boot_loader *loader, const struct kd_sysroot *root);

#endif
