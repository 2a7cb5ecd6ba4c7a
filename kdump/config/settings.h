/* SPDX-License-Identifier: GPL-2.0-or-later */
/** /etc/sysconfig/kdump (Red Hat, openSUSE) or /etc/default/kdump: the capture kernel and its command line.
 *
 *  The file has KEY=value lines in shell notation, of which only quotes have a meaning: it is parsed, never run.
 */
#ifndef KDUMP_CONFIG_SETTINGS_H
#define KDUMP_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/loader/loader.h"

#define SETTINGS_KEYS_MAX 16

/** The files that may hold them; the first one that exists counts. */
#define SETTINGS_FILES 2
extern const char *const settings_files[SETTINGS_FILES];

/** Strings are owned, and NULL if the file does not set them, or sets them to nothing. */
struct settings {
	char *file;                  /* the file that was read; NULL: none exists */
	char *kernel_version;        /* KDUMP_KERNELVER */
	char *commandline;           /* KDUMP_COMMANDLINE: instead of the running kernel's */
	char *commandline_remove;    /* KDUMP_COMMANDLINE_REMOVE: names, besides the built-in ones */
	char *commandline_append;    /* KDUMP_COMMANDLINE_APPEND: options, besides the built-in ones */
	char *boot_dir;              /* KDUMP_BOOTDIR */
	char *image;                 /* KDUMP_IMG: the kernel file's name before "-KVER" */
	char *image_ext;             /* KDUMP_IMG_EXT: what follows the version */
	char *metrics_file;          /* KDUMP_METRICS_FILE: for node_exporter's textfile collector */
	char *kexec_args;            /* KEXEC_ARGS, as it is written; its meaning is in @call */
	char *creation_notification; /* VMCORE_CREATION_NOTIFICATION: "no" silences status about the last test */
	enum loader_call call;       /* KEXEC_ARGS: -s, -c or -a; other options are ignored */
	unsigned int line[SETTINGS_KEYS_MAX]; /* of each key in the file, in the order of settings_get(); 0: not set */
};

/** Read the first of the files that exists, or return the defaults if none does. An unknown key, and an option of
 *  KEXEC_ARGS that changes nothing here, is a warning on @log.
 *  KD_ERR_CONFIG ("file:line: …"): syntax that only a shell understands. */
struct kd_error *settings_load(const struct kd_sysroot *root, const struct kd_log *log,
			       struct settings *ret) MUST_CHECK;

/** Parse @text, which was read from @file (for messages, and settings.file). */
struct kd_error *settings_parse(const char *text, const char *file, const struct kd_log *log,
				struct settings *ret) MUST_CHECK;

/** Setting number @i of those that have a meaning here. False: there are only @i. *value: NULL if it is not set.
 *  *line: its line in settings->file; 0 if that file does not set it. */
bool settings_get(const struct settings *settings, size_t i, const char **key, const char **value, unsigned int *line);

/** A zeroed struct is allowed. */
void settings_free(struct settings *settings);
static inline void settings_free_cleanup(struct settings *settings)
{
	settings_free(settings);
}

#endif
