/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The configuration of a boot loader: files, and the regions of their texts that are kernel command lines.
 *  crashkernel= is read and written in these regions and nowhere else.
 */
#ifndef KDUMP_BOOT_REGIONS_H
#define KDUMP_BOOT_REGIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/sysroot.h"

/** A part [start, end) of a file's text. */
struct boot_region {
	size_t start, end;
	char *kernel;        /* path in the boot loader's terms; NULL: the words apply to all kernels */
	const char *missing; /* the line does not exist yet: the text to put before the words at @start */
	bool add;            /* takes crashkernel= if there is none */
	bool bare;           /* a shell word without quotes, which cannot contain blanks */
	bool void_;          /* a later assignment drops it */
};

struct boot_file {
	char *path; /* path below the root, links resolved */
	char *text; /* NUL-terminated; "" for a file that does not exist yet */
	bool absent;
	bool by_tool; /* only read here: a program changes it (grubby) */
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
/** The same, and the last region takes a new word if it is quoted. */
boot_scan boot_scan_shell_add;
/** A boot loader entry with "linux" and "options" lines (Boot Loader Specification, type 1). */
boot_scan boot_scan_entry;
/** Labels with "linux" or "kernel", and "append" lines (syslinux, extlinux, U-Boot's distro boot). */
boot_scan boot_scan_extlinux;
/** A file with only a command line and comment lines (/etc/kernel/cmdline). */
boot_scan boot_scan_words;

/** Read @path, scan it and append it to @config. If the file does not exist, nothing is appended; that is success. */
struct kd_error *boot_config_add(const struct kd_sysroot *root, const char *path, boot_scan *scan, const void *arg,
				 struct boot_config *config) MUST_CHECK;

/** Do the same with every file in @directory whose name ends with @suffix, in the order of their names. */
struct kd_error *boot_config_add_all(const struct kd_sysroot *root, const char *directory, const char *suffix,
				     boot_scan *scan, const void *arg, struct boot_config *config) MUST_CHECK;

/** Append a file that does not exist, without regions. */
struct kd_error *boot_config_add_absent(const char *path, struct boot_config *config) MUST_CHECK;

/** Mark the regions of variable @name that a later assignment without "$NAME" drops, over all files in order. */
void boot_config_void(struct boot_config *config, const char *name);

/** A zeroed struct is allowed. */
void boot_config_free(struct boot_config *config);
static inline void boot_config_free_cleanup(struct boot_config *config)
{
	boot_config_free(config);
}

#endif
