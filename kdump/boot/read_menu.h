/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The menus of the boot loaders, and the entry that the next boot takes, one reader for each kind of menu. They
 *  append to @ret, which is freed by the caller also after an error. KD_ERR_NOT_FOUND: there is no menu. */
#ifndef KDUMP_BOOT_READ_MENU_H
#define KDUMP_BOOT_READ_MENU_H

#include <stdbool.h>

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/boot/entries.h"

/** GRUB: grub.cfg and its environment block; Fedora's has the entries of the Boot Loader Specification in it. */
struct kd_error *read_menu_grub(const struct kd_sysroot *root, struct boot_entries *ret) MUST_CHECK;

/** systemd-boot(7): entries of the Boot Loader Specification, unified kernel images; loader.conf(5), and the EFI
 *  variables of the Boot Loader Interface. */
struct kd_error *read_menu_systemd_boot(const struct kd_sysroot *root, struct boot_entries *ret) MUST_CHECK;

/** syslinux, extlinux, U-Boot's distro boot. */
struct kd_error *read_menu_extlinux(const struct kd_sysroot *root, struct boot_entries *ret) MUST_CHECK;

/** Are there unified kernel images where systemd-boot looks for them? */
bool read_menu_has_unified(const struct kd_sysroot *root);

/** extlinux.conf: append the entries of @text, and say which one is next. Labels that are not there are passed over. */
struct kd_error *read_menu_extlinux_text(const char *text, struct boot_entries *ret) MUST_CHECK;

/** loader.conf: *ret := the pattern of the default entry, in lower case, allocated; it stays as it is if there is
 *  none. */
struct kd_error *read_menu_loader_conf(const char *text, char **ret) MUST_CHECK;

/** What systemd-boot sorts an entry by, beside its id. */
struct menu_sort_key {
	char *sort_key, *machine, *version; /* NULL: the entry does not tell */
	bool foreign;                       /* for another architecture */
};

/** Append an entry of the Boot Loader Specification, type 1: the text of the file called @name. @key (may be NULL) gets
 *  allocated texts; it is zeroed before. */
struct kd_error *read_menu_specification(const char *text, const char *name, struct boot_entries *ret,
					 struct menu_sort_key *key) MUST_CHECK;

#endif
