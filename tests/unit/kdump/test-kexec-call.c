/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kexec_file_load(2) is given, and when, with the system calls replaced. */
#include "tests/unit/testing.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "kdump/loader/kexec_call.h"
#include "kdump/loader/loader.h"
#include "tests/unit/tree.h"

static int kept = -1; /* the initramfs as the kernel got it */
static char content[16384];
static ssize_t content_size;
static uint64_t locked;
static int refusal; /* what kexec_load(2) fails with */
static unsigned int file_loads;

/* Memory of this process that cannot go to swap space. */
static uint64_t locked_memory(void)
{
	unsigned long kib = 0;
	char line[256];
	FILE *status = fopen("/proc/self/status", "re");

	assert_non_null(status);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "VmLck: %lu kB", &kib) == 1)
			break;
	fclose(status);
	return (uint64_t)kib << 10;
}

/* Any other call is the C library's. */
static long pass_on(long number, va_list args)
{
	long (*real)(long number, ...) = (long (*)(long, ...))(uintptr_t)dlsym(RTLD_NEXT, "syscall");
	long a = va_arg(args, long), b = va_arg(args, long), c = va_arg(args, long), d = va_arg(args, long);

	return real(number, a, b, c, d);
}

long syscall(long number, ...)
{
	va_list args;
	int initrd;
	long result;

	if (number != SYS_kexec_load && number != SYS_kexec_file_load) {
		va_start(args, number);
		result = pass_on(number, args);
		va_end(args);
		return result;
	}
	if (number == SYS_kexec_load) {
		errno = refusal;
		return -1;
	}
	file_loads++;
	va_start(args, number);
	va_arg(args, int);
	initrd = va_arg(args, int);
	va_end(args);
	assert_int_equal(fcntl(initrd, F_GETFL) & O_ACCMODE, O_RDONLY);
	content_size = kd_pread_all(initrd, content, sizeof(content), 0);
	locked = locked_memory();
	kept = dup(initrd);
	return 0;
}

/* The secret reaches the kernel, out of memory that is locked, and is gone from the file afterwards. */
static void test_secret(void **state)
{
	enum { SIZE = 9000, SECRET = 4500 };
	char initrd[SIZE], zeros[SECRET] = "";
	const struct kexec_files files = { "kernel", 6, initrd, SIZE, SECRET, "quiet" };
	const struct kexec_call call = { .on_crash = true };

	memset(initrd, 'i', SIZE);
	memset(initrd + SIZE - SECRET, 's', SECRET);
	assert_no_error(kexec_call_file_load(&call, &files));
	assert_int_equal(content_size, SIZE);
	assert_memory_equal(content, initrd, SIZE);
#ifndef __SANITIZE_ADDRESS__ /* whose mlock(2) does nothing */
	assert_in_range(locked, SECRET, SIZE + 8192);
#endif
	assert_int_equal(kd_pread_all(kept, content, sizeof(content), 0), SIZE);
	assert_memory_equal(content, initrd, SIZE - SECRET);
	assert_memory_equal(content + SIZE - SECRET, zeros, SECRET);
	assert_int_equal(locked_memory(), 0);
	close(kept);
}

/* A kernel without kexec_load(2) (CONFIG_KEXEC=n), in lockdown, or with IMA's policy takes kexec_file_load(2)
 * instead; a layout that it does not like is no reason for that, and neither is it when only the former was asked
 * for. */
static void test_fall_back(void **state)
{
	static const struct {
		int refusal;
		enum loader_call call;
		bool falls_back;
	} cases[] = {
		{ ENOSYS, LOADER_CALL_AUTO, true },  { EPERM, LOADER_CALL_AUTO, true },
		{ EACCES, LOADER_CALL_AUTO, true },  { EINVAL, LOADER_CALL_AUTO, false },
		{ ENOSYS, LOADER_CALL_LOAD, false },
	};
	struct tree *m = *state;

	tree_text(m, "/proc/iomem", "00001000-0009ffff : System RAM\n00100000-7fffffff : System RAM\n");
	tree_text(m, "/sys/kernel/kexec_loaded", "0\n");
	tree_text(m, "/proc/cpuinfo", "flags : fpu\n");
	tree_own_kernel(m, "/boot/v", 1 << 20);
	tree_text(m, "/boot/i", "initramfs");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(loader_image_free) struct loader_image *image = NULL;
		const struct loader_request request = { .root = &m->root,
							.policy = LOADER_REBOOT,
							.call = cases[i].call,
							.kernel = "/boot/v",
							.initrd = "/boot/i",
							.cmdline = "quiet" };
		const char *how = "";
		struct kd_error *err;

		refusal = cases[i].refusal;
		file_loads = 0;
		kept = -1;
		assert_no_error(loader_prepare(&request, &image));
		err = loader_load(image, &how);
		if (kept >= 0)
			close(kept);
		assert_int_equal(file_loads, cases[i].falls_back);
		if (cases[i].falls_back) {
			assert_no_error(err);
			assert_string_equal(how, "kexec_file_load");
		} else {
			assert_non_null(err);
			assert_int_equal(err->errnum, cases[i].refusal);
			kd_error_destroy(err);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secret),
		cmocka_unit_test_setup_teardown(test_fall_back, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
