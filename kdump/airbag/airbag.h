/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The contract between "kdumpctl reboot --try" and the program that it puts behind the new kernel's initramfs.
 *
 *  The kernel that runs before a trial is packed with its initramfs and command line into an archive (pack.h), which
 *  unpacks to AIRBAG_DIRECTORY in the new kernel's rootfs. The new kernel starts AIRBAG_PROGRAM in place of /init
 *  (rdinit=). That loads the packed kernel as this boot's panic kernel, deletes the files, leaves a child behind, the
 *  deadman (deadman.h), and becomes /init. */
#ifndef KDUMP_AIRBAG_AIRBAG_H
#define KDUMP_AIRBAG_AIRBAG_H

#define AIRBAG_DIRECTORY "/kdump-airbag"
#define AIRBAG_PROGRAM   AIRBAG_DIRECTORY AIRBAG_INIT

/* Below the directory. */
#define AIRBAG_INIT     "/init"
#define AIRBAG_KERNEL   "/kernel"
#define AIRBAG_INITRD   "/initrd" /* absent: the kernel had none */
#define AIRBAG_CMDLINE  "/cmdline"
#define AIRBAG_SETTINGS "/settings" /* see settings.h */
#define AIRBAG_MODULES  "/modules"

/** The deadman's socket: SOCK_SEQPACKET in the abstract name space of the initial network name space. It answers root
 *  alone. A request and a reply are one text each:
 *
 *      "status"  "pending SECONDS armed|firmware WATCHDOGS"   seconds until the deadline
 *      "commit"  "committed"                                  the deadman ends
 *
 *  "firmware": no panic kernel could be loaded, so that a panic resets the machine. */
#define AIRBAG_SOCKET "kdump-airbag"
enum { AIRBAG_TEXT_MAX = 256 };

#endif
