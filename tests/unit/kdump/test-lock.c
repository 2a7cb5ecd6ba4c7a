/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One kdumpctl at a time. */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "kdump/cli/lock.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

static void test_lock(void **state)
{
	struct tree *m = *state;
	_cleanup_close_ int fd = -1;
	struct stat st;
	bool waited = false;

	assert_no_error(lock_take(&m->root, NULL, false, &waited, &fd));
	assert_false(waited);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(lstat(tree_path(m, KD_RUNDIR), &st), 0);
	assert_int_equal(st.st_mode & 0022, 0);
}

/* A link at the lock's path is not followed. */
static void test_lock_link(void **state)
{
	struct tree *m = *state;
	_cleanup_close_ int fd = -1;
	struct kd_error *err;
	bool waited = false;

	tree_text(m, "/victim", "text");
	tree_link(m, LOCK_PATH, "../../victim");
	err = lock_take(&m->root, NULL, false, &waited, &fd);
	assert_error(err, KD_ERR_OS, LOCK_PATH);
	assert_int_equal(fd, -1);
}

/* Others could put a file of their own into the directory, or hold one that they can open. */
static void test_lock_of_others(void **state)
{
	struct tree *m = *state;
	_cleanup_close_ int fd = -1;
	struct kd_error *err;
	bool waited = false;

	tree_text(m, LOCK_PATH, "");
	assert_int_equal(chmod(tree_path(m, LOCK_PATH), 0666), 0);
	err = lock_take(&m->root, NULL, false, &waited, &fd);
	assert_error(err, KD_ERR_STATE, "remove the file");
	assert_int_equal(chmod(tree_path(m, LOCK_PATH), 0600), 0);
	assert_int_equal(chmod(tree_path(m, KD_RUNDIR), 01777), 0);
	err = lock_take(&m->root, NULL, false, &waited, &fd);
	assert_error(err, KD_ERR_STATE, "others than root can write to " KD_RUNDIR);
	assert_int_equal(fd, -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lock, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_lock_of_others, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_lock_link, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
