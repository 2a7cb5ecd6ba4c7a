/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What is to be changed so that crashkernel= is as it should be: decided as plain data, which can be printed, or
 *  carried out. */
#ifndef KDUMP_BOOT_CHANGES_H
#define KDUMP_BOOT_CHANGES_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/boot/loaders.h"
#include "kdump/boot/regions.h"

/** The setting (kdump/boot/crashkernel.h) that was last written as a recommendation: a file of one line. What differs
 *  from it in a boot loader was chosen by the administrator, and is left alone. */
#define BOOT_RECORD_PATH KD_STATEDIR "/crashkernel"

struct boot_request {
	const char *setting; /* what the administrator asks for; NULL: the recommendation where nothing was chosen */
	const char *recommended; /* setting */
	const char *recorded;    /* in BOOT_RECORD_PATH; NULL: none */
	const char *kernel;  /* file of the only kernel to be changed, or "DEFAULT"; NULL or "ALL": all, and new ones */
	const char *release; /* only entries of this uname -r; NULL: any */
	bool only_recorded;  /* touch only what is as recorded */
};

enum boot_outcome {
	BOOT_CHANGED,
	BOOT_SAME, /* is so already */
	BOOT_KEPT, /* chosen by the administrator */
};

struct boot_change {
	enum boot_outcome outcome;
	size_t file;
	const struct boot_region *region; /* NULL: a new line at the end of the file */
	char *kernel;                     /* NULL: all */
	size_t index;                     /* of the entry in GRUB's menu, if the loader counts them */
	char *old;                        /* setting; NULL: there was none */
	char *new_;                       /* setting; NULL unless changed */
};

struct boot_plan {
	const struct boot_loader *loader;
	struct boot_config config;
	char **text; /* for each file: its new text; NULL: stays */
	struct boot_change *change;
	size_t changes;
	char ***command; /* to be run, in order: argument lists */
	size_t commands;
};

/** Read the configuration of @loader and decide. Nothing is written.
 *  KD_ERR_NOT_FOUND: no entry of that kernel; KD_ERR_USAGE: --kernel= makes no sense with this loader;
 * KD_ERR_UNSUPPORTED: a line that cannot be edited. */
struct kd_error *boot_plan_make(const struct kd_sysroot *root, const struct boot_loader *loader,
				const struct boot_request *request, struct boot_plan *ret) MUST_CHECK;

/** Does the plan change anything? */
bool boot_plan_changes(const struct boot_plan *plan);

/** The setting that the next boot will have; NULL: none is known. */
const char *boot_plan_result(const struct boot_plan *plan);

/** Show changed lines, and commands, as they would be written and run. */
void boot_plan_print(const struct boot_plan *plan, FILE *out);

/** Write every file (whole or not at all; owner, mode and label stay) and run the commands; on a machine that is a
 *  directory these are only named. */
struct kd_error *boot_plan_apply(const struct kd_sysroot *root, const struct boot_plan *plan,
				 const struct kd_log *log) MUST_CHECK;

/** Run a program (NULL-terminated list, its path first) to its end; its standard output goes to standard error.
 *  KD_ERR_STATE: it failed. */
struct kd_error *boot_run(const char *const *words) MUST_CHECK;

/** A zeroed struct is allowed. */
void boot_plan_free(struct boot_plan *plan);
static inline void boot_plan_free_cleanup(struct boot_plan *plan)
{
	boot_plan_free(plan);
}

#endif
