/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/array.h"
#include "base/io.h"
#include "base/programs.h"
#include "base/text.h"

enum { LIST_MAX = 1 << 20, PACKED = 16 << 10, PLAIN = 64 << 10 };

/* --- one member --------------------------------------------------------------------------------------------------- */

struct expansion {
	z_stream z;
	unsigned char packed[PACKED], plain[PLAIN];
};

static struct kd_error *inflate_all(struct expansion *expansion, int in, int out, const char *member)
{
	z_stream *z = &expansion->z;
	int status = Z_OK;

	while (status != Z_STREAM_END) {
		if (!z->avail_in) {
			ssize_t n = read(in, expansion->packed, sizeof(expansion->packed));

			if (n <= 0)
				return n < 0 ? kd_error_os(errno, "cannot read %s", member) :
					       kd_error_create(KD_ERR_FORMAT, "%s is truncated", member);
			z->next_in = expansion->packed;
			z->avail_in = (uInt)n;
		}
		z->next_out = expansion->plain;
		z->avail_out = sizeof(expansion->plain);
		status = inflate(z, Z_NO_FLUSH);
		if (status != Z_OK && status != Z_STREAM_END)
			return kd_error_create(KD_ERR_FORMAT, "%s is corrupt", member);
		if (kd_write_all(out, expansion->plain, sizeof(expansion->plain) - z->avail_out) < 0)
			return kd_error_os(errno, "cannot expand %s", member);
	}
	return NULL;
}

/* A whole program is never needed in memory beside the file that it becomes. */
static struct kd_error *expand(int in, int out, const char *member)
{
	_cleanup_free_ struct expansion *expansion = calloc(1, sizeof(*expansion));
	struct kd_error *err;

	/* 15 + 16: the largest window, with a gzip header. */
	if (!expansion || inflateInit2(&expansion->z, 15 + 16) != Z_OK)
		return kd_error_nomem();
	err = inflate_all(expansion, in, out, member);
	inflateEnd(&expansion->z);
	return err;
}

/* Until it is whole the file has another name: a deadline may end this process at any moment. */
static struct kd_error *expand_file(const char *image, const char *path)
{
	_cleanup_free_ char *member = NULL, *plain = NULL, *part = NULL;
	_cleanup_close_ int in = -1, out = -1;
	struct kd_error *err = kd_format(&plain, "%s%s", image, path);
	struct stat st;

	if (!err)
		err = kd_format(&member, "%s" KD_PROGRAMS_SUFFIX, plain);
	if (!err)
		err = kd_format(&part, "%s.part", plain);
	if (err)
		return err;
	in = open(member, O_RDONLY | O_CLOEXEC);
	if (in < 0 && errno == ENOENT && access(plain, F_OK) == 0)
		return NULL;
	if (in < 0 || fstat(in, &st) < 0)
		return kd_error_os(errno, "cannot open %s", member);
	out = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, st.st_mode & 07777);
	if (out < 0)
		return kd_error_os(errno, "cannot create %s", part);
	err = expand(in, out, member);
	/* execve(2) refuses a file that is open for writing. */
	close(take_fd(out));
	if (!err && rename(part, plain) < 0)
		err = kd_error_os(errno, "cannot create %s", plain);
	unlink(err ? part : member);
	return err;
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

/* The word at @cursor, which it passes over; NULL: the list ends. kd_read_file() has put a NUL behind @end. */
static const char *next_word(const char **cursor, const char *end)
{
	const char *word = *cursor;

	if (word >= end)
		return NULL;
	*cursor += strlen(word) + 1;
	return word;
}

struct kd_error *programs_expand(const char *image, const char *program)
{
	_cleanup_free_ char *path = NULL, *list = NULL;
	const char *cursor, *end, *name, *word;
	struct kd_error *err = kd_format(&path, "%s" KD_PROGRAMS_PATH, image);
	size_t size;

	if (err)
		return err;
	err = kd_read_file(path, LIST_MAX, &list, &size);
	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return NULL;
	}
	if (err)
		return err;
	cursor = list;
	end = list + size;
	while (!err && (name = next_word(&cursor, end))) {
		bool wanted = !program || strcmp(name, program) == 0;

		while (!err && (word = next_word(&cursor, end)) && *word)
			if (wanted)
				err = expand_file(image, word);
	}
	return kd_error_wrap(err, "cannot unpack %s", program ? program : "the image's programs");
}

/* --- commands of scripts ------------------------------------------------------------------------------------------ */

/* *ret, which the caller owns := the path of the program @name; NULL: the image has none. */
static struct kd_error *find_program(const char *image, const char *name, char **ret)
{
	static const char *const directories[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

	*ret = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		_cleanup_free_ char *path = NULL;
		struct kd_error *err = kd_format(&path, "%s%s/%s", image, directories[i], name);

		if (err)
			return err;
		if (access(path, F_OK) == 0) {
			*ret = take_ptr(path);
			return NULL;
		}
	}
	return NULL;
}

/* The link lies beside busybox. */
static struct kd_error *link_command(const char *image, const char *busybox, const char *command)
{
	_cleanup_free_ char *program = NULL, *link = NULL;
	struct kd_error *err = find_program(image, command, &program);

	if (err || program)
		return err;
	err = kd_format(&link, "%.*s%s", (int)(strlen(busybox) - strlen(KD_BUSYBOX)), busybox, command);
	if (!err && symlink(KD_BUSYBOX, link) < 0 && errno != EEXIST)
		err = kd_error_os(errno, "cannot make the link %s", link);
	return err;
}

struct kd_error *programs_link_commands(const char *image)
{
	_cleanup_free_ char *busybox = NULL;
	struct kd_error *err = find_program(image, KD_BUSYBOX, &busybox);

	for (const char *const *command = kd_script_commands; busybox && *command && !err; command++)
		err = link_command(image, busybox, *command);
	return err;
}
