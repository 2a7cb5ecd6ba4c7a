/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A reboot by kexec, as data. */
#include <string.h>

#include "kdump/reboot/request.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

static void extlinux(struct tree *m, const char *more)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "default a\nlabel a\n kernel /boot/v\n append BOOT_IMAGE=/boot/v root=/dev/sda1 initrd=/boot/i ro\n%s",
		 more);
	tree_text(m, "/boot/extlinux/extlinux.conf", text);
	tree_kernel(m, "/boot/v", 1 << 20);
	tree_text(m, "/boot/i", "first");
	tree_text(m, "/boot/j", "second");
}

static void test_request(void **state)
{
	static const struct reboot_choice next = { 0 }, other = { .entry = "b" }, gone = { .version = "9" };
	struct tree *m = *state;
	_cleanup_(reboot_request_free) struct reboot_request request = { 0 };
	struct reboot_request none = { 0 };

	extlinux(m, "label b\n localboot 0\n");
	assert_no_error(reboot_request_make(&m->root, &next, &request));
	assert_string_equal(request.title, "a");
	assert_string_equal(request.kernel, "/boot/v");
	assert_string_equal(request.initrd[0], "/boot/i");
	assert_null(request.initrd[1]);
	assert_null(request.forget);
	/* The boot loader's own words are not the kernel's. */
	assert_string_equal(request.cmdline, "root=/dev/sda1 ro");
	assert_no_error(reboot_request_append(&request, "single"));
	assert_string_equal(request.cmdline, "root=/dev/sda1 ro single");
	assert_error(reboot_request_make(&m->root, &other, &none), KD_ERR_UNSUPPORTED,
		     "\"b\" of the boot loader starts");
	assert_error(reboot_request_make(&m->root, &gone, &none), KD_ERR_NOT_FOUND, "no entry with kernel 9");
}

/* Each begins at a multiple of four bytes, where the kernel looks for another archive. */
static void test_archives(void **state)
{
	_cleanup_(reboot_archives_free) struct reboot_archives archives = { 0 };

	assert_no_error(reboot_archives_add(&archives, "12345", 5));
	assert_int_equal(archives.size, 5);
	assert_no_error(reboot_archives_add(&archives, "abc", 3));
	assert_int_equal(archives.size, 11);
	assert_memory_equal(archives.data, "12345\0\0\0abc", 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_request, tree_setup, tree_teardown),
		cmocka_unit_test(test_archives),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
