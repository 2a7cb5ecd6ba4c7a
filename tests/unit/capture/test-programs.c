/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that are compressed in the image until somebody runs them. */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/io.h"
#include "base/programs.h"
#include "base/text.h"
#include "capture/programs.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

#define SIZE (300 * 1000) /* of every program: more than any buffer */

struct image {
	char directory[TEMPORARY_SIZE];
	unsigned char content[SIZE];
};

static const char list[] = "/usr/bin/ssh\0/usr/bin/ssh\0/lib/libc.so\0\0"
			   "/bin/sh\0/usr/bin/dash\0/lib/libc.so\0\0";

static char *path_in(const struct image *image, const char *path)
{
	char *full;

	assert_no_error(kd_format(&full, "%s%s", image->directory, path));
	return full;
}

static void write_in(const struct image *image, const char *path, const void *data, size_t size)
{
	_cleanup_free_ char *full = path_in(image, path);

	assert_no_error(kd_write_file_atomic(full, data, size, 0755));
}

/* A member that expands to the content; @cut bytes of its end are missing. */
static void pack(const struct image *image, const char *path, size_t cut)
{
	static unsigned char packed[SIZE + 4096];
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)image->content;
	z.avail_in = SIZE;
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	write_in(image, path, packed, z.total_out - cut);
	deflateEnd(&z);
}

static bool exists(const struct image *image, const char *path)
{
	_cleanup_free_ char *full = path_in(image, path);

	return access(full, F_OK) == 0;
}

static void assert_expanded(const struct image *image, const char *path)
{
	_cleanup_free_ char *full = path_in(image, path), *data = NULL;
	struct stat st;
	size_t size;

	assert_no_error(kd_read_file(full, SIZE, &data, &size));
	assert_int_equal(size, SIZE);
	assert_memory_equal(data, image->content, SIZE);
	assert_int_equal(stat(full, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

static int setup(void **state)
{
	static const char *const directories[] = { "/etc", "/lib", "/bin", "/usr", "/usr/bin" };
	struct image *image = malloc(sizeof(*image));

	for (size_t i = 0; i < SIZE; i++)
		image->content[i] = (unsigned char)(i * i >> 7);
	temporary_make(image->directory);
	for (size_t i = 0; i < sizeof(directories) / sizeof(*directories); i++) {
		_cleanup_free_ char *full = path_in(image, directories[i]);

		assert_int_equal(mkdir(full, 0755), 0);
	}
	write_in(image, "/etc/kdump.programs", list, sizeof(list) - 1);
	pack(image, "/usr/bin/ssh.gz", 0);
	pack(image, "/usr/bin/dash.gz", 0);
	pack(image, "/lib/libc.so.gz", 0);
	*state = image;
	return 0;
}

static int teardown(void **state)
{
	struct image *image = *state;

	temporary_remove(image->directory);
	free(image);
	return 0;
}

/* One program with its library, and nothing else; then the rest, of which a part is there. */
static void test_one_and_all(void **state)
{
	const struct image *image = *state;

	assert_no_error(programs_expand(image->directory, "/usr/bin/ssh"));
	assert_expanded(image, "/usr/bin/ssh");
	assert_expanded(image, "/lib/libc.so");
	assert_false(exists(image, "/usr/bin/ssh.gz"));
	assert_false(exists(image, "/usr/bin/dash"));
	assert_no_error(programs_expand(image->directory, "/usr/bin/ssh"));
	assert_no_error(programs_expand(image->directory, NULL));
	assert_expanded(image, "/usr/bin/dash");
	assert_false(exists(image, "/usr/bin/dash.part"));
}

/* A process that was killed left a part behind. */
static void test_interrupted(void **state)
{
	const struct image *image = *state;

	write_in(image, "/usr/bin/ssh.part", "half", 4);
	assert_no_error(programs_expand(image->directory, "/usr/bin/ssh"));
	assert_expanded(image, "/usr/bin/ssh");
	assert_false(exists(image, "/usr/bin/ssh.part"));
}

static void test_damaged(void **state)
{
	const struct image *image = *state;
	_cleanup_free_ char *member = path_in(image, "/usr/bin/ssh.gz");

	pack(image, "/usr/bin/ssh.gz", 1000);
	assert_error(programs_expand(image->directory, "/usr/bin/ssh"), KD_ERR_FORMAT, "cannot unpack /usr/bin/ssh: ");
	assert_false(exists(image, "/usr/bin/ssh"));
	assert_false(exists(image, "/usr/bin/ssh.part"));
	write_in(image, "/usr/bin/ssh.gz", "what is this", 12);
	assert_error(programs_expand(image->directory, "/usr/bin/ssh"), KD_ERR_FORMAT, "ssh.gz is corrupt");
	assert_int_equal(unlink(member), 0);
	assert_error(programs_expand(image->directory, "/usr/bin/ssh"), KD_ERR_OS, "cannot open ");
	/* That is ssh's affair alone. */
	assert_no_error(programs_expand(image->directory, "/bin/sh"));
	assert_expanded(image, "/usr/bin/dash");
}

/* Images without programs, and programs that are scripts. */
static void test_nothing_to_do(void **state)
{
	const struct image *image = *state;
	_cleanup_free_ char *path = path_in(image, "/etc/kdump.programs");

	assert_no_error(programs_expand(image->directory, "/usr/bin/script"));
	assert_int_equal(unlink(path), 0);
	assert_no_error(programs_expand(image->directory, NULL));
	assert_false(exists(image, "/usr/bin/ssh"));
	/* A list that ends in the middle of a word. */
	write_in(image, "/etc/kdump.programs", "/bin/sh\0/usr/bin/dash", 21);
	assert_no_error(programs_expand(image->directory, "/bin/sh"));
	assert_expanded(image, "/usr/bin/dash");
}

/* @path is a link to busybox beside it; NULL as @target: no link, or nothing at all. */
static void assert_link(const struct image *image, const char *path, const char *target)
{
	_cleanup_free_ char *full = path_in(image, path);
	char found[64];
	ssize_t length = readlink(full, found, sizeof(found) - 1);

	if (!target) {
		assert_int_equal(length, -1);
		return;
	}
	assert_true(length > 0);
	found[length] = '\0';
	assert_string_equal(found, target);
}

/* What scripts need and the image lacks is busybox', if there is one. */
static void test_links(void **state)
{
	const struct image *image = *state;

	write_in(image, "/bin/grep", "own", 3);
	assert_no_error(programs_link_commands(image->directory));
	assert_link(image, "/usr/bin/sed", NULL);
	write_in(image, "/usr/bin/busybox", "busybox", 7);
	assert_no_error(programs_link_commands(image->directory));
	for (const char *const *command = kd_script_commands; *command; command++) {
		_cleanup_free_ char *path = NULL;

		assert_no_error(kd_format(&path, "/usr/bin/%s", *command));
		assert_link(image, path, strcmp(*command, "grep") == 0 ? NULL : "busybox");
	}
	/* The next hook finds them there. */
	assert_no_error(programs_link_commands(image->directory));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_and_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_to_do, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
