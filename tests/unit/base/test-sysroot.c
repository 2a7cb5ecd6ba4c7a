/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files, and a root that is not /. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/sysroot.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

static void expect_text(struct kd_error *err, const char *text)
{
	assert_non_null(err);
	assert_string_equal(err->text, text);
	kd_error_destroy(err);
}

/* A number of /proc/sys comes with the first read or not at all. */
static void test_number_of_kernel(void **state)
{
	static const char path[] = "/proc/sys/kernel/pid_max";
	_cleanup_free_ char *text = NULL;
	FILE *file = fopen(path, "re");
	char expected[32] = "";
	size_t size;

	if (!file)
		skip();
	assert_non_null(fgets(expected, sizeof(expected), file));
	fclose(file);
	assert_no_error(kd_read_file(path, 64, &text, &size));
	assert_string_equal(text, expected);
	assert_true(size > 2);
}

static void test_files(void **state)
{
	char dir[TEMPORARY_SIZE], path[128], link[128];
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { 0 };
	_cleanup_free_ char *text = NULL, *line = NULL, *real = NULL;
	struct stat st;
	uint64_t value;
	size_t size;

	temporary_make(dir);
	snprintf(path, sizeof(path), "%s/a/b", dir);
	assert_no_error(kd_mkdir_p(path, 0755));
	assert_no_error(kd_mkdir_p(path, 0755));
	strcat(path, "/value");
	assert_no_error(kd_write_file_atomic(path, "0x1f\n", 5, 0600));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_no_error(kd_read_file(path, 5, &text, &size));
	assert_int_equal(size, 5);
	assert_string_equal(text, "0x1f\n");
	assert_error(kd_read_file(path, 4, &text, &size), KD_ERR_LIMIT, "larger than 4 bytes");

	assert_no_error(kd_sysroot_open(dir, &root));
	assert_false(kd_sysroot_is_live(&root));
	assert_no_error(kd_sysroot_read_line(&root, &line, "/a/%s/value", "b"));
	assert_string_equal(line, "0x1f");
	assert_no_error(kd_sysroot_read_u64(&root, 0, &value, "/a/b/value"));
	assert_int_equal(value, 0x1f);
	assert_error(kd_sysroot_read_u64(&root, 10, &value, "/a/b/value"), KD_ERR_FORMAT, "not a number");
	/* Whatever cannot be read is called by its name. */
	snprintf(link, sizeof(link), "cannot read %s/a: Is a directory", dir);
	expect_text(kd_sysroot_read(&root, "/a", &text, &size), link);
	snprintf(link, sizeof(link), "cannot read %s/a: Is a directory", dir);
	*strrchr(path, '/') = '\0';
	*strrchr(path, '/') = '\0';
	expect_text(kd_read_file(path, 5, &text, &size), link);
	snprintf(link, sizeof(link), "cannot write %s/none/x: No such file or directory", dir);
	snprintf(path, sizeof(path), "%s/none/x", dir);
	expect_text(kd_write_file_atomic(path, "", 0, 0600), link);
	/* Nothing but a file is replaced, whatever name it has. */
	snprintf(path, sizeof(path), "%s/a/pipe", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_error(kd_write_file_atomic(path, "", 0, 0600), KD_ERR_USAGE, "it is not a regular file");
	snprintf(link, sizeof(link), "%s/a/stdout", dir);
	assert_int_equal(symlink(path, link), 0);
	assert_error(kd_write_file_atomic(link, "", 0, 0600), KD_ERR_USAGE, "it is not a regular file");
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	/* Nor is anything else read: a named pipe would be waited for. */
	alarm(60);
	assert_error(kd_sysroot_read(&root, "/a/pipe", &text, &size), KD_ERR_FORMAT,
		     "a/pipe: it is not a regular file");
	alarm(0);
	unlink(link);
	unlink(path);
	snprintf(path, sizeof(path), "%s/a/b/value", dir);
	/* An absolute link stays inside the captured tree. */
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(symlink("/a/b/value", link), 0);
	assert_no_error(kd_sysroot_realpath(&root, "/link", &real));
	assert_string_equal(real, "/a/b/value");
	assert_true(kd_sysroot_exists(&root, "/link"));
	assert_false(kd_sysroot_exists(&root, "/etc/passwd"));
	unlink(link);
	unlink(path);
	snprintf(path, sizeof(path), "%s/a/b", dir);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/a", dir);
	rmdir(path);
	assert_int_equal(rmdir(dir), 0); /* nothing left behind */
}

/* What the kernel makes up is read as well, and what a link to /dev/null masks is empty. */
static void test_live_files(void **state)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { 0 };
	_cleanup_free_ char *text = NULL, *null = NULL;
	size_t size;

	assert_no_error(kd_sysroot_open(NULL, &root));
	assert_no_error(kd_sysroot_read(&root, "/proc/self/status", &text, &size));
	assert_true(size > 0);
	assert_no_error(kd_sysroot_read(&root, "/dev/null", &null, &size));
	assert_int_equal(size, 0);
	assert_error(kd_sysroot_read(&root, "/dev/zero", &null, &size), KD_ERR_FORMAT, "not a regular file");
}

struct renamer {
	char a[128], b[128];
	bool stop; /* accessed atomically */
};

static void *rename_all_the_time(void *arg)
{
	struct renamer *renamer = arg;

	while (!__atomic_load_n(&renamer->stop, __ATOMIC_RELAXED))
		if (rename(renamer->a, renamer->b) < 0 || rename(renamer->b, renamer->a) < 0)
			break;
	return NULL;
}

/* A file is found while other processes rename files elsewhere on the machine. */
static void test_sysroot_races(void **state)
{
	char directory[TEMPORARY_SIZE], path[128];
	struct renamer renamer = { 0 };
	struct kd_sysroot root;
	unsigned int found = 0;
	pthread_t thread;

	temporary_make(directory);
	snprintf(path, sizeof(path), "%s/one", directory);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(renamer.a, sizeof(renamer.a), "%s/a", directory);
	snprintf(renamer.b, sizeof(renamer.b), "%s/b", directory);
	assert_no_error(kd_write_file_atomic(renamer.a, "x", 1, 0600));
	assert_no_error(kd_sysroot_open(directory, &root));
	assert_int_equal(pthread_create(&thread, NULL, rename_all_the_time, &renamer), 0);
	for (unsigned int i = 0; i < 20000; i++)
		found += kd_sysroot_exists(&root, "/one/../one/../one");
	__atomic_store_n(&renamer.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	kd_sysroot_close(&root);
	assert_int_equal(found, 20000);
	temporary_remove(directory);
}

static void test_names_are_in_the_order_of_their_bytes(void **state)
{
	static const char *const files[] = { "b", ".hidden", "a10", "B", "a9", "\303\244", "a" };
	static const char *const sorted[] = { "B", "a", "a10", "a9", "b", "\303\244" };
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { 0 };
	_cleanup_(kd_names_free) struct kd_names names = { 0 };
	char dir[TEMPORARY_SIZE], path[128];
	struct kd_error *err;

	temporary_make(dir);
	snprintf(path, sizeof(path), "%s/d", dir);
	assert_no_error(kd_mkdir_p(path, 0755));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/d/%s", dir, files[i]);
		assert_no_error(kd_write_file_atomic(path, "", 0, 0600));
	}
	assert_no_error(kd_sysroot_open(dir, &root));
	assert_no_error(kd_sysroot_list(&root, "/d", &names));
	assert_int_equal(names.count, ARRAY_SIZE(sorted));
	for (size_t i = 0; i < names.count; i++)
		assert_string_equal(names.name[i], sorted[i]);
	kd_names_free(&names);
	assert_int_equal(names.count, 0);

	err = kd_sysroot_list(&root, "/none", &names);
	assert_non_null(err);
	assert_int_equal(err->errnum, ENOENT);
	kd_error_destroy(err);
	assert_error(kd_sysroot_list(&root, "/d/a", &names), KD_ERR_OS, "cannot read the directory");
	temporary_remove(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_of_kernel),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_live_files),
		cmocka_unit_test(test_sysroot_races),
		cmocka_unit_test(test_names_are_in_the_order_of_their_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
