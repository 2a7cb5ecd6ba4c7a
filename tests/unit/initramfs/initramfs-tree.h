/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Small made-up machines for the tests of initramfs/: files, links, kernel modules and programs below a temporary
 *  directory. Whatever goes wrong fails the running test. */
#ifndef TESTS_UNIT_INITRAMFS_INITRAMFS_TREE_H
#define TESTS_UNIT_INITRAMFS_INITRAMFS_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/unit/temporary.h"

struct tree {
	char path[TEMPORARY_SIZE];
};

void tree_make(struct tree *tree);
void tree_remove(const struct tree *tree);

/** Paths are absolute inside the tree; parent directories are made. */
void tree_write(const struct tree *tree, const char *path, const void *data, size_t size);
void tree_text(const struct tree *tree, const char *path, const char *text);
void tree_link(const struct tree *tree, const char *path, const char *target);
void tree_directory(const struct tree *tree, const char *path);
void tree_delete(const struct tree *tree, const char *path);
void tree_read(const struct tree *tree, const char *path, char **ret, size_t *size_ret);
/** "<tree><path>" in a static buffer. */
const char *tree_path(const struct tree *tree, const char *path);

/** The bytes of a relocatable ELF file that depmod(8) takes for a kernel module: @modinfo holds "key=value" words
 *  separated by blanks ("softdep=pre:+x" has a blank for the plus sign), @exports and @imports symbol names. */
void module_make(const char *modinfo, const char *exports, const char *imports, void **ret, size_t *size_ret);

/** The bytes of a dynamic ELF program or library; NULL leaves an entry out. @needed: words separated by blanks. */
void program_make(const char *interpreter, const char *rpath, const char *runpath, const char *needed, bool elf64,
		  void **ret, size_t *size_ret);

#endif
