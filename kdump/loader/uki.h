/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Sections of a unified kernel image: a PE file with a kernel, its initramfs and its command line (UAPI Group
 *  Specifications, "Unified Kernel Image"). */
#ifndef KDUMP_LOADER_UKI_H
#define KDUMP_LOADER_UKI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UKI_HEAD_SIZE 4096 /* the headers are in the first bytes of a file */

#define UKI_KERNEL  ".linux"
#define UKI_INITRD  ".initrd"
#define UKI_UCODE   ".ucode" /* an archive with microcode, which goes in front of the initramfs */
#define UKI_CMDLINE ".cmdline"
#define UKI_RELEASE ".uname" /* as uname -r prints it */

/** Find section @name by the first @size bytes of a file: its place in the file, and its size. Sections behind .profile
 *  belong to other profiles, and are not looked at. False: it is not a PE file, or has no such section. */
bool uki_find(const void *head, size_t size, const char *name, uint64_t *offset, uint64_t *length);

#endif
