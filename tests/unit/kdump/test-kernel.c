/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which kernel is loaded for the capture. */
#include "kdump/config/kernel.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

static void test_kernel(void **state)
{
	struct tree *m = *state;
	struct settings settings = { 0 };
	_cleanup_(kernel_free) struct kernel running = { 0 }, named = { 0 }, configured = { 0 };
	struct kernel none = { 0 };

	tree_text(m, "/proc/sys/kernel/osrelease", "6.1.0-56-amd64\n");
	assert_error(kernel_find(&m->root, &settings, NULL, &none), KD_ERR_NOT_FOUND,
		     "tried /boot/vmlinuz-6.1.0-56-amd64, /boot/vmlinux-6.1.0-56-amd64");
	tree_text(m, "/lib/modules/6.1.0-56-amd64/vmlinuz", "");
	assert_no_error(kernel_find(&m->root, &settings, NULL, &running));
	assert_string_equal(running.release, "6.1.0-56-amd64");
	assert_string_equal(running.path, "/lib/modules/6.1.0-56-amd64/vmlinuz");

	tree_text(m, "/boot/vmlinuz-6.12", "");
	assert_no_error(kernel_find(&m->root, &settings, "6.12", &named));
	assert_string_equal(named.path, "/boot/vmlinuz-6.12");
	assert_error(kernel_find(&m->root, &settings, "../x", &none), KD_ERR_CONFIG, "is not a kernel release");
	assert_error(kernel_find(&m->root, &settings, "", &none), KD_ERR_CONFIG, "is not a kernel release");

	settings.image = (char *)"bz";
	settings.image_ext = (char *)".efi";
	settings.kernel_version = (char *)"7";
	assert_error(kernel_find(&m->root, &settings, NULL, &none), KD_ERR_NOT_FOUND, "(tried /boot/bz-7.efi)");
	tree_text(m, "/boot/bz-7.efi", "");
	assert_no_error(kernel_find(&m->root, &settings, NULL, &configured));
	assert_string_equal(configured.path, "/boot/bz-7.efi");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kernel, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
