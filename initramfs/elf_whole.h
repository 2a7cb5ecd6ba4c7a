/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Is a file whole, and what the capture kernel can use? A package that was unpacked while the machine lost its power,
 *  or while the disk was full, leaves files that are empty or cut off, and nobody notices them before the crash. */
#ifndef INITRAMFS_ELF_WHOLE_H
#define INITRAMFS_ELF_WHOLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** A program that runs where there are no libraries. @name is for messages; *machine_ret: its ELF machine.
 *  KD_ERR_FORMAT. */
struct kd_error *elf_whole_program(const void *data, size_t size, const char *name, uint16_t *machine_ret) MUST_CHECK;

/** A kernel module (expanded) for @machine. KD_ERR_FORMAT. */
struct kd_error *elf_whole_module(const void *data, size_t size, const char *name, uint16_t machine) MUST_CHECK;

#endif
