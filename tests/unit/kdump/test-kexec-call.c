/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kexec_file_load(2) is given, with the system call replaced. */
#include "tests/unit/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "kdump/loader/kexec_call.h"

static int kept = -1; /* the initramfs as the kernel got it */
static char content[16384];
static ssize_t content_size;
static uint64_t locked;

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

long syscall(long number, ...)
{
	va_list args;
	int initrd;

	assert_int_equal(number, SYS_kexec_file_load);
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
	assert_in_range(locked, SECRET, SIZE + 8192);
	assert_int_equal(kd_pread_all(kept, content, sizeof(content), 0), SIZE);
	assert_memory_equal(content, initrd, SIZE - SECRET);
	assert_memory_equal(content + SIZE - SECRET, zeros, SECRET);
	assert_int_equal(locked_memory(), 0);
	close(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secret),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
