/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The changes that set crashkernel= as requested, as plain data that can be printed or applied. */
#ifndef KDUMP_BOOT_CHANGES_H
#define KDUMP_BOOT_CHANGES_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/boot/loaders.h"
#include "kdump/boot/regions.h"

/** The setting (kdump/boot/crashkernel.h) that was last written as a recommendation: a file of one line. Any other
 *  setting in a boot loader that no distribution's tool writes (kdump/boot/packaged.h) is an administrator's choice. */
#define BOOT_RECORD_PATH KD_STATEDIR "/crashkernel"

struct boot_request {
	const char *setting;     /* the administrator's choice; NULL: the recommendation, unless one was made */
	const char *recommended; /* the recommended setting */
	const char *recorded;    /* the setting in BOOT_RECORD_PATH; NULL: none */
	const char
		*kernel; /* path of the only kernel to change, or "DEFAULT"; NULL or "ALL": all kernels, and new ones */
	const char *release; /* change only entries of this release (uname -r); NULL: any release */
	bool only_recorded;  /* change only settings that equal the recorded one */
	bool replace;        /* change an administrator's choice, too */
};

enum boot_outcome {
	BOOT_CHANGED,
	BOOT_SAME, /* the setting is already there */
	BOOT_KEPT, /* the administrator chose another setting */
};

struct boot_change {
	enum boot_outcome outcome;
	size_t file;
	const struct boot_region *region; /* NULL: a new line at the end of the file */
	char *kernel;                     /* NULL: all kernels */
	size_t index;                     /* number of the entry in GRUB's menu, if the loader counts entries */
	char *old;                        /* the setting before; NULL: none */
	char *new_;                       /* the new setting; NULL unless changed */
};

struct boot_plan {
	const struct boot_loader *loader;
	struct boot_config config;
	char **text; /* the new text of each file; NULL: the file does not change */
	struct boot_change *change;
	size_t changes;
	char ***command; /* argument lists of the commands to run, in order */
	size_t commands;
};

/** Read the configuration of @loader and decide on the changes. Nothing is written. KD_ERR_NOT_FOUND: the kernel has
 *  no entry; KD_ERR_USAGE: --kernel= makes no sense with this loader; KD_ERR_UNSUPPORTED: a line cannot be edited. */
struct kd_error *boot_plan_make(const struct kd_sysroot *root, const struct boot_loader *loader,
				const struct boot_request *request, struct boot_plan *ret) MUST_CHECK;

/** A choice of an administrator that stays; NULL: there is none. */
const struct boot_change *boot_plan_kept(const struct boot_plan *plan);

/** Does the plan change anything? */
bool boot_plan_changes(const struct boot_plan *plan);

/** The setting of the next boot; NULL: unknown. */
const char *boot_plan_result(const struct boot_plan *plan);

/** Print the lines that would be written and the commands that would be run. */
void boot_plan_print(const struct boot_plan *plan, FILE *out);

/** Write every file (atomically; owner, mode and label stay) and run the commands. If @root is not the running
 *  machine, print the commands instead. */
struct kd_error *boot_plan_apply(const struct kd_sysroot *root, const struct boot_plan *plan,
				 const struct kd_log *log) MUST_CHECK;

/** Run a program (NULL-terminated list, its path first) and wait until it ends. Its standard output goes to standard
 *  error. KD_ERR_STATE: the program failed. */
struct kd_error *boot_run(const char *const *words) MUST_CHECK;

/** A zeroed struct is allowed. */
void boot_plan_free(struct boot_plan *plan);
static inline void boot_plan_free_cleanup(struct boot_plan *plan)
{
	boot_plan_free(plan);
}

#endif
