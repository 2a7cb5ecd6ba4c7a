/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A boot loader's configuration, as far as it holds kernel command lines: files, and the regions of their texts that
 *  are command lines. What is read or written of crashkernel= is read or written there, and nowhere else.
 */
#ifndef KDUMP_BOOT_REGIONS_H
#define KDUMP_BOOT_REGIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/sysroot.h"

/** [start, end) of a file's text. */
struct boot_region {
	size_t start, end;
	char *kernel;        /* file, as the boot loader names it; NULL: the words are for all kernels */
	const char *missing; /* there is no such line yet: what stands before the words when they are put at start */
	bool add;            /* this is where crashkernel= goes if there is none */
	bool bare;           /* a shell word without quotes: can take no blanks */
	bool void_;          /* a later assignment forgets it */
};

struct boot_file {
	char *path; /* below the root, links resolved */
	char *text; /* NUL-terminated; "" for a file that is to be made */
	bool absent;
	bool by_tool; /* read only: a program changes it (grubby) */
	struct boot_region *region;
	size_t regions;
};

struct boot_config {
	struct boot_file *file;
	size_t files;
};

/** Finds the regions of file->text. */
typedef struct kd_error *boot_scan(struct boot_file *file, const void *arg);

/** NAME="words" lines of a file that a shell reads; @arg: a NULL-terminated list of NAMEs (const char *const *). */
boot_scan boot_scan_shell;
/** The same, and the last of them takes a new word if it is quoted. */
boot_scan boot_scan_shell_add;
/** A boot loader entry with "linux" and "options" lines (Boot Loader Specification, type 1). */
boot_scan boot_scan_entry;
/** Labels with "linux" or "kernel", and "append" lines (syslinux, extlinux, U-Boot's distro boot). */
boot_scan boot_scan_extlinux;
/** Nothing but a command line, and lines of comment (/etc/kernel/cmdline). */
boot_scan boot_scan_words;

/** Read @path, scan it and append it to @config. No such file: nothing is appended, success. */
struct kd_error *boot_config_add(const struct kd_sysroot *root, const char *path, boot_scan *scan, const void *arg,
				 struct boot_config *config) MUST_CHECK;

/** Every file in @directory whose name ends with @suffix, in the order of their names. */
struct kd_error *boot_config_add_all(const struct kd_sysroot *root, const char *directory, const char *suffix,
				     boot_scan *scan, const void *arg, struct boot_config *config) MUST_CHECK;

/** A file that is not there, without regions. */
struct kd_error *boot_config_add_absent(const char *path, struct boot_config *config) MUST_CHECK;

/** Mark the regions of variable @name that a later assignment without "$NAME" forgets, over all files in order. */
void boot_config_void(struct boot_config *config, const char *name);

/** A zeroed struct is allowed. */
void boot_config_free(struct boot_config *config);
static inline void boot_config_free_cleanup(struct boot_config *config)
{
	boot_config_free(config);
}

#endif
