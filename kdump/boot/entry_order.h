/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The order of entries in menus: that of Fedora's GRUB (its module blscfg), which grubby follows, and that of
 *  systemd-boot. */
#ifndef KDUMP_BOOT_ENTRY_ORDER_H
#define KDUMP_BOOT_ENTRY_ORDER_H

/** Compare two files of entries by their names, NAME-VERSION-RELEASE.conf, each part as RPM compares versions.
 *  > 0: @a is newer, and comes first in the menu. */
int boot_entry_compare(const char *a, const char *b);

/** Compare two versions as systemd-boot does (UAPI Group Specifications, "Version Format"). NULL is "". > 0: @a is
 *  newer. */
int boot_version_compare(const char *a, const char *b);

#endif
