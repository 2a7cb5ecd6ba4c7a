/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "tests/unit/testing.h"

void tree_make(struct tree *tree)
{
	temporary_make(tree->path);
	assert_no_error(kd_sysroot_open(tree->path, &tree->root));
}

void tree_remove(struct tree *tree)
{
	kd_sysroot_close(&tree->root);
	temporary_remove(tree->path);
}

int tree_setup(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	assert_non_null(tree);
	tree_make(tree);
	*state = tree;
	return 0;
}

int tree_teardown(void **state)
{
	tree_remove(*state);
	free(*state);
	return 0;
}

const char *tree_path(const struct tree *tree, const char *path)
{
	static char full[512];

	assert_true(snprintf(full, sizeof(full), "%s%s", tree->path, path) < (int)sizeof(full));
	return full;
}

void tree_directory(const struct tree *tree, const char *path)
{
	assert_no_error(kd_mkdir_p(tree_path(tree, path), 0755));
}

static void make_parent(const struct tree *tree, const char *path)
{
	char parent[256];

	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(path, '/') - path), path);
	tree_directory(tree, parent);
}

/* Not kd_write_file_atomic(): nothing here has to outlive a crash, and some tests write hundreds of files. */
void tree_write(const struct tree *tree, const char *path, const void *data, size_t size)
{
	char temporary[520];
	FILE *file;

	make_parent(tree, path);
	snprintf(temporary, sizeof(temporary), "%s.new", tree_path(tree, path));
	file = fopen(temporary, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(temporary, tree_path(tree, path)), 0);
}

void tree_text(const struct tree *tree, const char *path, const char *text)
{
	tree_write(tree, path, text, strlen(text));
}

void tree_program(const struct tree *tree, const char *path, const char *text)
{
	tree_text(tree, path, text);
	tree_mode(tree, path, 0755);
}

void tree_mode(const struct tree *tree, const char *path, mode_t mode)
{
	assert_int_equal(chmod(tree_path(tree, path), mode), 0);
}

void tree_link(const struct tree *tree, const char *path, const char *target)
{
	make_parent(tree, path);
	assert_int_equal(symlink(target, tree_path(tree, path)), 0);
}

void tree_delete(const struct tree *tree, const char *path)
{
	assert_int_equal(remove(tree_path(tree, path)), 0);
}

void tree_read(const struct tree *tree, const char *path, char **ret, size_t *size_ret)
{
	assert_no_error(kd_read_file(tree_path(tree, path), 64 << 20, ret, size_ret));
}

static void set_le(uint8_t *at, uint64_t value, int bytes)
{
	while (bytes--) {
		*at++ = value;
		value >>= 8;
	}
}

void tree_own_kernel(const struct tree *tree, const char *path, uint32_t init_size)
{
#ifdef __aarch64__
	/* A device tree (version 17) without anything: header, end of reserved memory, an empty root node. */
	static const uint8_t empty[72] = { 0xd0,      0x0d,      0xfe,      0xed,      [7] = 72, [11] = 56, [15] = 72,
					   [19] = 40, [23] = 17, [27] = 16, [39] = 16, [59] = 1, [67] = 2,  [71] = 9 };
	static uint8_t image[8192];

	memset(image, 0, sizeof(image));
	set_le(image + 0x10, init_size, 8);
	memcpy(image + 0x38, "ARM\x64", 4);
	tree_write(tree, path, image, sizeof(image));
	tree_write(tree, "/sys/firmware/fdt", empty, sizeof(empty));
#else
	tree_kernel(tree, path, init_size);
#endif
}

void tree_kernel(const struct tree *tree, const char *path, uint32_t init_size)
{
	static uint8_t image[8192];

	memset(image, 0, sizeof(image));
	image[0x1f1] = 4;
	set_le(image + 0x1f4, (sizeof(image) - 5 * 512) / 16, 4);
	set_le(image + 0x1fe, 0xaa55, 2);
	set_le(image + 0x200, 0x6aeb, 2);
	memcpy(image + 0x202, "HdrS", 4);
	set_le(image + 0x206, 0x20f, 2);
	image[0x211] = 1;
	set_le(image + 0x230, 0x200000, 4);
	image[0x234] = 1;
	set_le(image + 0x236, 0x7f, 2);
	set_le(image + 0x238, 2047, 4);
	set_le(image + 0x258, 0x1000000, 8);
	set_le(image + 0x260, init_size, 4);
	tree_write(tree, path, image, sizeof(image));
}
