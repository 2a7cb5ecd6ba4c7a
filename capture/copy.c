/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/copy.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/io.h"
#include "dumpfilter/write/output.h"

enum { COPY_PAGE = 4096, COPY_CHUNK = 256 * COPY_PAGE };

static void note_unreadable(struct copy_result *result, const char *why, off_t offset, size_t size)
{
	if (!result->unreadable) {
		result->first_unreadable = (uint64_t)offset;
		snprintf(result->error, sizeof(result->error), "%s", why);
	}
	result->unreadable += size;
}

/* Read [offset, offset + size). If the kernel refuses, read page by page; pages that it refuses become zeros. */
static void read_chunk(int fd, char *buf, size_t size, off_t offset, struct copy_result *result)
{
	size_t at, piece;
	ssize_t got;

	if (kd_pread_all(fd, buf, size, offset) == (ssize_t)size)
		return;
	for (at = 0; at < size; at += piece) {
		piece = size - at < COPY_PAGE ? size - at : COPY_PAGE;
		got = kd_pread_all(fd, buf + at, piece, offset + at);
		if (got == (ssize_t)piece)
			continue;
		note_unreadable(result, got < 0 ? strerror(errno) : "the file ends there", offset + at, piece);
		memset(buf + at, 0, piece);
	}
}

/* Write the pages that are not zero, in runs. */
static struct kd_error *write_chunk(struct output *out, const char *buf, size_t size, off_t offset,
				    struct copy_result *result)
{
	struct kd_error *err = NULL;
	size_t at = 0;

	while (at < size && !err) {
		size_t end = at, piece;

		for (; end < size; end += piece) {
			piece = size - end < COPY_PAGE ? size - end : COPY_PAGE;
			if (kd_all_zero(buf + end, piece))
				break;
		}
		if (end > at) {
			err = output_write_at(out, (uint64_t)offset + at, buf + at, end - at);
			result->written += err ? 0 : end - at;
		}
		at = end + COPY_PAGE;
	}
	return err;
}

/* A file gets its length at once. In a stream its last byte says how long it is. */
static struct kd_error *begin_copy(struct output *out, const char *to, uint64_t size)
{
	struct kd_error *err;

	if (to) {
		err = output_create(out, to, false);
		return err ? err : output_extend(out, size);
	}
	err = output_create_stream(out, STDOUT_FILENO, "standard output");
	if (!err)
		output_hold(out, offsetof(Elf64_Ehdr, e_flags), sizeof(((Elf64_Ehdr *)NULL)->e_flags));
	return err;
}

/* @chunk: the last one. */
static struct kd_error *end_copy(struct output *out, const char *chunk, uint64_t size)
{
	size_t end = size > COPY_PAGE ? (size - 1) % COPY_CHUNK + 1 : 0, start = end ? (end - 1) & ~(COPY_PAGE - 1) : 0;
	struct kd_error *err = NULL;

	if (out->kind == OUTPUT_STREAM && end && kd_all_zero(chunk + start, end - start))
		err = output_write_at(out, size - 1, chunk + end - 1, 1);
	if (!err)
		err = output_end_stream(out);
	return err ? err : output_sync(out);
}

struct kd_error *copy_vmcore(const char *from, const char *to,
			     void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
			     struct copy_result *ret)
{
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_(output_release) struct output out = { .fd = -1, .direct_fd = -1 };
	_cleanup_free_ char *buf = calloc(1, COPY_CHUNK);
	struct kd_error *err;
	struct stat st;
	off_t offset;

	if (!buf)
		return kd_error_nomem();
	if (in < 0 || fstat(in, &st) < 0)
		return kd_error_os(errno, "cannot open %s", from);
	ret->size = (uint64_t)st.st_size;
	err = begin_copy(&out, to, ret->size);
	for (offset = 0; offset < st.st_size && !err; offset += COPY_CHUNK) {
		size_t size = st.st_size - offset < COPY_CHUNK ? st.st_size - offset : COPY_CHUNK;

		read_chunk(in, buf, size, offset, ret);
		err = write_chunk(&out, buf, size, offset, ret);
		if (!err && progress)
			progress(arg, (offset + size) / COPY_PAGE, st.st_size / COPY_PAGE);
	}
	return err ? err : end_copy(&out, buf, ret->size);
}
