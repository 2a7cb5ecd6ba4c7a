/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which kernel is loaded for the capture. */
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "kdump/config/kernel.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"
#include "tests/unit/uki.h"

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

static void expect_path(struct tree *m, const char *release, const char *path)
{
	struct settings settings = { 0 };
	_cleanup_(kernel_free) struct kernel kernel = { 0 };

	assert_no_error(kernel_find(&m->root, &settings, release, &kernel));
	assert_string_equal(kernel.path, path);
}

/* ROOT/TOKEN/RELEASE/linux, as kernel-install(8) writes it; the token is the machine's ID unless a file has another. */
static void test_kernel_entries(void **state)
{
	struct tree *m = *state;

	tree_text(m, "/proc/sys/kernel/osrelease", "6.1\n");
	tree_text(m, "/etc/machine-id", "0123abcd\n");
	tree_text(m, "/efi/0123abcd/6.1/linux", "");
	tree_text(m, "/boot/efi/debian/6.2/linux", "");
	expect_path(m, NULL, "/efi/0123abcd/6.1/linux");
	tree_text(m, "/etc/kernel/entry-token", "debian\n");
	expect_path(m, "6.2", "/boot/efi/debian/6.2/linux");
}

static void make_uki(struct tree *m, const char *path, const char *name, const char *text)
{
	const struct uki_section sections[] = { { name, text }, { NULL, NULL } };

	uki_write(m, path, sections);
}

/* The one that says that it is of this release, whatever its name is. */
static void test_kernel_uki(void **state)
{
	struct tree *m = *state;
	struct settings settings = { 0 };
	struct kernel none = { 0 };

	tree_text(m, "/proc/sys/kernel/osrelease", "6.1\n");
	make_uki(m, "/boot/efi/EFI/Linux/fedora-6.1.efi", ".uname", "6.12");
	make_uki(m, "/boot/efi/EFI/Linux/b.efi", ".linux", "6.1");
	tree_text(m, "/boot/efi/EFI/Linux/c.efi", "MZ");
	assert_error(kernel_find(&m->root, &settings, NULL, &none), KD_ERR_NOT_FOUND, "/boot/efi/EFI/Linux)");
	make_uki(m, "/boot/efi/EFI/Linux/a.EFI", ".uname", "6.1");
	expect_path(m, NULL, "/boot/efi/EFI/Linux/a.EFI");
}

static void test_kernel_boot_image(void **state)
{
	struct tree *m = *state;
	struct settings settings = { 0 };
	struct kernel none = { 0 };
	uint8_t image[1024] = "";

	tree_text(m, "/proc/sys/kernel/osrelease", "6.1\n");
	tree_text(m, "/proc/cmdline", "BOOT_IMAGE=(hd0,gpt2)/custom/vmlinuz root=/dev/sda1\n");
	memcpy(image + 0x202, "HdrS", 4);
	image[0x20f] = 1;
	strcpy((char *)image + 0x300, "6.1 (builder@host) #1");
	tree_write(m, "/boot/custom/vmlinuz", image, sizeof(image));
	expect_path(m, NULL, "/boot/custom/vmlinuz");
	/* It is not said of any other kernel, and not of one that has replaced the running one. */
	assert_error(kernel_find(&m->root, &settings, "6.2", &none), KD_ERR_NOT_FOUND, "kernel 6.2 was not found");
	strcpy((char *)image + 0x300, "6.12 (builder@host) #1");
	tree_write(m, "/boot/custom/vmlinuz", image, sizeof(image));
	assert_error(kernel_find(&m->root, &settings, NULL, &none), KD_ERR_NOT_FOUND, ", /boot/custom/vmlinuz)");
	/* A file that does not say what it is. */
	tree_text(m, "/proc/cmdline", "root=/dev/sda1 BOOT_IMAGE=/mine\n");
	tree_text(m, "/mine", "");
	expect_path(m, NULL, "/mine");
}

static void expect_link(struct tree *m, const char *target)
{
	char current[256] = "";

	assert_int_equal(readlink(tree_path(m, "/boot/initramfs-6.1kdump.img"), current, sizeof(current) - 1) < 0,
			 !target);
	if (target)
		assert_string_equal(current, target);
}

/* Where sos and lsinitrd look for the image; never in the place of another program's. */
static void test_kernel_link(void **state)
{
	struct tree *m = *state;
	_cleanup_free_ char *text = NULL;

	kernel_link_initramfs(&m->root, "6.1", KD_STATEDIR "/initramfs-6.1.img"); /* no /boot */
	tree_directory(m, "/boot");
	kernel_link_initramfs(&m->root, "6.1", KD_STATEDIR "/old.img");
	expect_link(m, ".." KD_STATEDIR "/old.img");
	kernel_link_initramfs(&m->root, "6.1", KD_STATEDIR "/initramfs-6.1.img");
	expect_link(m, ".." KD_STATEDIR "/initramfs-6.1.img");
	kernel_unlink_initramfs(&m->root, "6.1");
	expect_link(m, NULL);
	tree_text(m, "/boot/initramfs-6.1kdump.img", "Red Hat's");
	kernel_link_initramfs(&m->root, "6.1", KD_STATEDIR "/initramfs-6.1.img");
	kernel_unlink_initramfs(&m->root, "6.1");
	tree_read(m, "/boot/initramfs-6.1kdump.img", &text, NULL);
	assert_string_equal(text, "Red Hat's");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kernel_entries, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_kernel_uki, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_kernel_boot_image, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_kernel_link, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_kernel, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
