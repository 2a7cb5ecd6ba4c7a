/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A reboot by kexec, as data. */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kdump/reboot/request.h"
#include "kdump/reboot/times.h"
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

static struct kd_error *try_grub(struct tree *m)
{
	static const struct reboot_choice next = { .loader = "grub" };
	_cleanup_(reboot_request_free) struct reboot_request request = { 0 };

	return reboot_request_make(&m->root, &next, &request);
}

/* A file of that name on another file system than the entry names is another file. */
static void test_file_system(void **state)
{
	struct tree *m = *state;
	char number[32];
	struct stat st;

	tree_text(m, "/etc/default/grub", "");
	tree_text(m, "/usr/sbin/update-grub", "");
	tree_text(m, "/boot/grub/grub.cfg",
		  "search --fs-uuid --set=root 1-1\nmenuentry one {\nsearch --no-floppy --fs-uuid --set=root 1-2\n"
		  "linux /boot/v\n}\n");
	tree_kernel(m, "/boot/v", 1 << 20);
	assert_no_error(try_grub(m)); /* nothing is known of 1-2 */
	tree_text(m, "/dev/vda2", "");
	tree_link(m, "/dev/disk/by-uuid/1-2", "../../vda2");
	assert_int_equal(stat(tree_path(m, "/boot/v"), &st), 0);
	if (!major(st.st_dev))
		end_test("this file system has no device");
	snprintf(number, sizeof(number), "%u:%u\n", major(st.st_dev), minor(st.st_dev));
	tree_text(m, "/sys/class/block/vda2/dev", number);
	assert_no_error(try_grub(m));
	snprintf(number, sizeof(number), "%u:%u\n", major(st.st_dev), minor(st.st_dev) + 1);
	tree_text(m, "/sys/class/block/vda2/dev", number);
	assert_error(try_grub(m), KD_ERR_NOT_FOUND, "does not exist on a mounted file system with UUID 1-2");
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

/* --- times -------------------------------------------------------------------------------------------------------- */

enum { SECOND = 1000000 };

static void expect_phases(const struct reboot_note *note, const struct reboot_arrival *arrival, bool by_counter,
			  const uint64_t seconds[REBOOT_PHASES])
{
	struct reboot_times times;

	reboot_times_make(note, arrival, &times);
	assert_int_equal(times.by_counter, by_counter);
	for (size_t i = 0; i < REBOOT_PHASES; i++) {
		assert_int_equal(times.known[i], seconds[i] != 0);
		assert_int_equal(times.phase[i], seconds[i] * SECOND);
	}
}

static void test_times(void **state)
{
	/* 100 s after the old kernel's start, the counter at 5000 s; 60 s later the new kernel is 40 s old. */
	const struct reboot_note note = {
		.command = { 5000000000000, 1000000000, 100 * SECOND, (uint64_t)1700000000 * SECOND },
	};
	struct reboot_arrival arrival = {
		.now = { 5060000000000, 1000000000, 40 * SECOND, (uint64_t)1700000062 * SECOND },
		.stopped = 105 * SECOND,
		.userspace = 10 * SECOND,
		.reached = 25 * SECOND,
	};

	expect_phases(&note, &arrival, true, (uint64_t[]){ 5, 15, 10, 0, 15, 45 });
	arrival.initrd = 4 * SECOND;
	expect_phases(&note, &arrival, true, (uint64_t[]){ 5, 15, 4, 6, 15, 45 });
	/* A journal that was not kept, or whose clock is another kernel's. */
	arrival.stopped = 0;
	expect_phases(&note, &arrival, true, (uint64_t[]){ 0, 20, 4, 6, 15, 45 });
	arrival.stopped = 90 * SECOND;
	expect_phases(&note, &arrival, true, (uint64_t[]){ 0, 20, 4, 6, 15, 45 });
	/* The firmware has reset the counter. */
	arrival.now.cycles = 44000000000;
	arrival.stopped = 105 * SECOND;
	expect_phases(&note, &arrival, false, (uint64_t[]){ 5, 17, 4, 6, 15, 47 });
	/* And the clock was set back. */
	arrival.now.realtime = 5;
	expect_phases(&note, &arrival, false, (uint64_t[]){ 0, 0, 4, 6, 15, 0 });
}

static void test_note(void **state)
{
	struct tree *m = *state;
	struct reboot_note note = { .command = { 1, 2, 3, 4 }, .boot = "aaaa", .from = "6.1" }, back = { 0 };

	assert_error(reboot_note_read(&m->root, &back), KD_ERR_NOT_FOUND, "no reboot by \"kdumpctl reboot\" was noted");
	assert_no_error(reboot_note_write(&m->root, &note));
	assert_no_error(reboot_note_read(&m->root, &back));
	assert_memory_equal(&back, &note, sizeof(note));
	tree_text(m, REBOOT_TIMES_PATH, "boot a\ncycles x\n");
	assert_error(reboot_note_read(&m->root, &back), KD_ERR_FORMAT, "damaged at \"cycles\"");
	tree_text(m, REBOOT_TIMES_PATH, "boot aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
	assert_error(reboot_note_read(&m->root, &back), KD_ERR_FORMAT, "damaged at");
	tree_text(m, REBOOT_TIMES_PATH, "from 6.1\nlater field\n");
	assert_error(reboot_note_read(&m->root, &back), KD_ERR_FORMAT, "is not complete");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_request, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_file_system, tree_setup, tree_teardown),
		cmocka_unit_test(test_archives),
		cmocka_unit_test(test_times),
		cmocka_unit_test_setup_teardown(test_note, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
