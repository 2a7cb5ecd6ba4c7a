/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One kdumpctl at a time. */
#include <sys/stat.h>

#include "base/cleanup.h"
#include "kdump/cli/lock.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

/* A link at the lock's path is removed, and its target stays unchanged. */
static void test_lock_link(void **state)
{
	struct tree *m = *state;
	_cleanup_close_ int fd = -1;
	struct stat st;

	tree_text(m, "/victim", "text");
	tree_link(m, LOCK_PATH, "../../victim");
	assert_no_error(lock_take(&m->root, NULL, &fd));
	assert_int_equal(lstat(tree_path(m, LOCK_PATH), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lock_link, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
