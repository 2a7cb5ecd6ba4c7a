/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Boot loaders: how each is recognised, which files hold its command lines, and what makes a change of them count. */
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
	/* Is it what boots this machine, by its files and tools? */
	bool (*detect)(const struct kd_sysroot *root);
	struct kd_error *(*read)(const struct kd_sysroot *root, struct boot_config *ret);
	bool per_kernel; /* entries have command lines of their own, so that --kernel=PATH means something */
	bool indexed;    /* Red Hat's "grub entry index=N" is said of each entry */
	/* Where the parameter goes if no region takes it: a line at the end of this file, "%s" being the words; NULL:
	 * none. */
	const char *(*add_to)(const struct kd_sysroot *root);
	const char *add_before, *add_after;
	/* What has to be run when files were changed: the first whose program exists. */
	const char *const (*commands)[BOOT_COMMAND_WORDS];
	const char *const *generated; /* what those write, NULL-terminated: it must have the words, too */
};

/** The loader called @name; NULL: the one that boots this machine. KD_ERR_USAGE: no such name; KD_ERR_NOT_FOUND: none
 *  that is known; the text says what to do by hand. */
struct kd_error *boot_loader_choose(const struct kd_sysroot *root, const char *name,
				    const struct boot_loader **ret) MUST_CHECK;

/** The command to be run, a NULL-terminated list; NULL: none is needed, or there. */
const char *const *boot_loader_command(const struct boot_loader *loader, const struct kd_sysroot *root);

#endif
