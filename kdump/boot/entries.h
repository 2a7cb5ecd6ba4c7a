/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The entries of a boot loader's menu, as kernel, initramfs and command line, and the one that the next boot takes. */
#ifndef KDUMP_BOOT_ENTRIES_H
#define KDUMP_BOOT_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/boot/loaders.h"

/** A part of a menu that has its own menu. */
struct boot_submenu {
	const struct boot_submenu *parent; /* NULL: it is in the top menu */
	char *id, *title;                  /* id "": it has none */
	size_t index;                      /* of it in its menu, from 0 */
};

struct boot_entry {
	const struct boot_submenu *submenu; /* that it is in; NULL: the top menu */
	size_t index;                       /* of it in its menu, from 0; submenus count, too */
	char *id;      /* the name that the boot loader's settings use; "": it has only its title */
	char *title;   /* "": it has only its id */
	char *version; /* of the kernel, as "uname -r" prints it; "" if the entry does not tell */
	char *top;     /* directory below which its files are; NULL: not known, boot_entry_file() looks */
	char *uuid;    /* of the file system that its files are on; NULL: the entry does not tell */
	char *kernel;  /* in the boot loader's terms; NULL: the entry starts something else */
	char **initrd; /* in their order, in the boot loader's terms; NULL-terminated, or NULL */
	char *options; /* the command line */
	bool unified;  /* the kernel is a unified kernel image, which has its initramfs in it */
};

struct boot_entries {
	struct boot_entry *entry; /* in the order of the menu */
	size_t count;
	struct boot_submenu **submenu;
	size_t submenus;
	size_t next;     /* the entry that the next boot takes */
	const char *why; /* how that was chosen: "GRUB's saved_entry" */
	/* Commands that make the boot loader forget an entry that only the next boot takes, as it does itself when it
	 * has started that entry: of those whose program exists, the first has to be run. NULL: the choice is not for
	 * one boot. */
	const char *const (*forget)[BOOT_COMMAND_WORDS];
};

/** Read the menu of the boot loader called @name, as in boot_loader_choose(). @ret is to be freed by
 *  boot_entries_free(). KD_ERR_NOT_FOUND: no boot loader is known, it has no entry, or the file that has them is not
 *  there; KD_ERR_FORMAT: a file is not what it should be. */
struct kd_error *boot_entries_load(const struct kd_sysroot *root, const char *name,
				   struct boot_entries *ret) MUST_CHECK;

/** The entry that has @name as its id, its title or its kernel's file; KD_ERR_NOT_FOUND lists those that there are. */
struct kd_error *boot_entries_find(const struct boot_entries *entries, const char *name, size_t *ret) MUST_CHECK;

/** The first entry with a kernel of @version: the next boot's if that has it. KD_ERR_NOT_FOUND, as above. */
struct kd_error *boot_entries_find_version(const struct boot_entries *entries, const char *version,
					   size_t *ret) MUST_CHECK;

/** Where @path, the kernel or an initramfs of @entry, is on the running machine: *ret is owned by the caller.
 *  KD_ERR_NOT_FOUND. */
struct kd_error *boot_entry_file(const struct kd_sysroot *root, const struct boot_entry *entry, const char *path,
				 char **ret) MUST_CHECK;

/** The same for all its initramfs files, in their order: *ret is NULL-terminated, and NULL if it has none. */
struct kd_error *boot_entry_initrds(const struct kd_sysroot *root, const struct boot_entry *entry,
				    char ***ret) MUST_CHECK;
void boot_files_free(char **files); /* NULL is allowed */

/* --- for those who read menus ------------------------------------------------------------------------------------- */

/** Append an empty entry, which is valid until the next call. KD_ERR_LIMIT. */
struct kd_error *boot_entries_add(struct boot_entries *entries, struct boot_entry **ret) MUST_CHECK;

/** Append @path to the initramfs files of @entry. KD_ERR_LIMIT. */
struct kd_error *boot_entry_add_initrd(struct boot_entry *entry, const char *path) MUST_CHECK;

/** A zeroed struct is allowed. */
void boot_entries_free(struct boot_entries *entries);
static inline void boot_entries_free_cleanup(struct boot_entries *entries)
{
	boot_entries_free(entries);
}

#endif
