/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths, /proc/self/mountinfo and fstab. */
#include <stdlib.h>

#include "kdump/storage/mounts.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

static void test_paths(void **state)
{
	char *p;

	assert_string_equal(path_below("/var/crash", "/var"), "/crash");
	assert_string_equal(path_below("/var/crash", "/"), "/var/crash");
	assert_string_equal(path_below("/var", "/var"), "");
	assert_string_equal(path_below("/", "/"), "");
	assert_null(path_below("/variable", "/var"));
	assert_null(path_below("/", "/var"));
	assert_string_equal(p = path_join("/", ""), "/");
	free(p);
	assert_string_equal(p = path_join("/a/", "/b"), "/a/b");
	free(p);
	assert_string_equal(p = path_join("/@", ""), "/@");
	free(p);
	assert_string_equal(p = path_join("", "b"), "/b");
	free(p);
}

static const char *mount_point_of(const struct mounts *mounts, const char *path)
{
	const struct mount *mount = mounts_find(mounts, path);

	return mount ? mount->source : NULL;
}

static void test_mounts_find(void **state)
{
	struct tree *m = *state;
	_cleanup_(mounts_free) struct mounts mounts = { 0 };

	tree_text(m, "/proc/self/mountinfo",
		  "22 1 254:1 / / rw,relatime shared:1 - ext4 root rw\n"
		  "23 22 254:2 / /var rw - ext4 hidden rw\n"
		  "24 23 254:3 / /var/crash rw - ext4 hidden-below rw\n"
		  "this line makes no sense\n"
		  "25 23 254:4 / /var rw - ext4 on-top rw\n"
		  "26 22 254:5 / /with\\040blank ro - xfs blank rw\n");
	assert_no_error(mounts_load(&m->root, &mounts));
	assert_int_equal(mounts.count, 5);
	assert_string_equal(mount_point_of(&mounts, "/etc"), "root");
	/* Mounted over: what lay below cannot be reached any more. */
	assert_string_equal(mount_point_of(&mounts, "/var/crash"), "on-top");
	assert_string_equal(mount_point_of(&mounts, "/variable"), "root");
	assert_string_equal(mount_point_of(&mounts, "/with blank/x"), "blank");
	assert_true(mounts.mount[4].read_only);
	assert_false(mounts.mount[0].read_only);
}

static void test_mounts_none(void **state)
{
	struct tree *m = *state;
	_cleanup_(mounts_free) struct mounts empty = { 0 }, loop = { 0 }, fstab = { 0 };

	tree_text(m, "/proc/self/mountinfo", "");
	assert_no_error(mounts_load(&m->root, &empty));
	assert_null(mounts_find(&empty, "/var"));
	tree_text(m, "/proc/self/mountinfo",
		  "1 1 254:1 / / rw - ext4 a rw\n2 3 254:1 / / rw - ext4 b rw\n"
		  "3 2 254:1 / / rw - ext4 c rw\n");
	assert_no_error(mounts_load(&m->root, &loop));
	assert_non_null(mounts_find(&loop, "/var"));
	assert_no_error(mounts_load_fstab(&m->root, &fstab));
	assert_int_equal(fstab.count, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test_setup_teardown(test_mounts_find, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_mounts_none, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
