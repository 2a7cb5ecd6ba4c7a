/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Kernel modules and programs for the tests of initramfs/, made by hand. */
#ifndef TESTS_UNIT_INITRAMFS_ELF_TESTING_H
#define TESTS_UNIT_INITRAMFS_ELF_TESTING_H

#include <stdbool.h>
#include <stddef.h>

/** The bytes of a relocatable ELF file that depmod(8) takes for a kernel module: @modinfo holds "key=value" words
 *  separated by blanks ("softdep=pre:+x" has a blank for the plus sign), @exports and @imports symbol names. */
void module_make(const char *modinfo, const char *exports, const char *imports, void **ret, size_t *size_ret);

/** The bytes of a dynamic ELF program or library; NULL leaves an entry out. @needed: words separated by blanks. */
void program_make(const char *interpreter, const char *rpath, const char *runpath, const char *needed, bool elf64,
		  void **ret, size_t *size_ret);

/** The bytes of a static program that ends in @text: 120 bytes and those of @text. */
void static_program_make(const char *text, void **ret, size_t *size_ret);

#endif
