/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The contract between "kdumpctl reboot --unlock" and the program that it puts behind the next kernel's initramfs.
 *
 *  The keys of open LUKS volumes are packed into an archive (keys.h) that lies in memory alone, and unpacks to
 *  UNLOCK_DIRECTORY in the next kernel's rootfs. The kernel starts UNLOCK_PROGRAM in place of /init (rdinit=). That
 *  takes the place of the programs which open LUKS volumes there, moves these into the directory, leaves a child behind
 *  that wipes each key once its file is deleted, and becomes /init. Run in their place, it opens a volume that it has
 *  the key of, as the former kernel had it open, and wipes the key; for anything else it becomes the program itself, as
 *  it does when it fails: then somebody is asked for the passphrase. */
#ifndef KDUMP_UNLOCK_UNLOCK_H
#define KDUMP_UNLOCK_UNLOCK_H

#define UNLOCK_DIRECTORY "/kdump-unlock"
#define UNLOCK_PROGRAM   UNLOCK_DIRECTORY "/init"
#define UNLOCK_KEYS      UNLOCK_DIRECTORY "/keys" /* files named by the UUIDs of LUKS volumes, see key.h */

/** The table of volumes that the scripts of Debian's cryptsetup-initramfs open. UNLOCK_PROGRAM as a key file there
 *  tells them not to ask: they hand it to cryptsetup(8). */
#define UNLOCK_CRYPTTAB "/cryptroot/crypttab"

enum { UNLOCK_CRYPTTAB_MAX = 1 << 20 };

#endif
