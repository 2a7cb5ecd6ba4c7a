/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A machine for a test: files below a temporary directory, which the program under test takes for the root. Paths are
 *  absolute inside the tree; parent directories are made. Whatever goes wrong fails the running test. */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/sysroot.h"
#include "tests/unit/temporary.h"

struct tree {
	char path[TEMPORARY_SIZE];
	struct kd_sysroot root;
};

void tree_make(struct tree *tree);
void tree_remove(struct tree *tree);

/** Fixtures of cmocka: *state is an empty struct tree. */
int tree_setup(void **state);
int tree_teardown(void **state);

/** A new file takes the place of one that is there, as an editor or a package does it. */
void tree_write(const struct tree *tree, const char *path, const void *data, size_t size);
void tree_text(const struct tree *tree, const char *path, const char *text);
/** A file that may be executed. */
void tree_program(const struct tree *tree, const char *path, const char *text);
/** A kernel with the boot header of an x86 one (Linux Documentation/arch/x86/boot.rst), and nothing that could run. */
void tree_kernel(const struct tree *tree, const char *path, uint32_t init_size);
/** A kernel that this build's loader can load: the same, or one of its architecture, with the machine's device tree. */
void tree_own_kernel(const struct tree *tree, const char *path, uint32_t init_size);
void tree_mode(const struct tree *tree, const char *path, mode_t mode);
void tree_link(const struct tree *tree, const char *path, const char *target);
void tree_directory(const struct tree *tree, const char *path);
void tree_delete(const struct tree *tree, const char *path);
void tree_read(const struct tree *tree, const char *path, char **ret, size_t *size_ret);
/** "<tree><path>" in a static buffer. */
const char *tree_path(const struct tree *tree, const char *path);

#endif
