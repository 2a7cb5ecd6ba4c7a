/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/io.h"

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
static int write_chunk(int fd, const char *buf, size_t size, off_t offset, struct copy_result *result)
{
	size_t at = 0;

	while (at < size) {
		size_t end = at, piece;

		for (; end < size; end += piece) {
			piece = size - end < COPY_PAGE ? size - end : COPY_PAGE;
			if (kd_all_zero(buf + end, piece))
				break;
		}
		if (end > at) {
			if (kd_pwrite_all(fd, buf + at, end - at, offset + at) < 0)
				return -1;
			result->written += end - at;
		}
		at = end + COPY_PAGE;
	}
	return 0;
}

struct kd_error *copy_vmcore(const char *from, const char *to,
			     void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
			     struct copy_result *ret)
{
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int out = -1;
	_cleanup_free_ char *buf = malloc(COPY_CHUNK);
	struct stat st;
	off_t offset;

	if (!buf)
		return kd_error_nomem();
	if (in < 0 || fstat(in, &st) < 0)
		return kd_error_os(errno, "cannot open %s", from);
	ret->size = (uint64_t)st.st_size;
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0 || ftruncate(out, st.st_size) < 0)
		return kd_error_os(errno, "cannot create %s", to);
	for (offset = 0; offset < st.st_size; offset += COPY_CHUNK) {
		size_t size = st.st_size - offset < COPY_CHUNK ? st.st_size - offset : COPY_CHUNK;

		read_chunk(in, buf, size, offset, ret);
		if (write_chunk(out, buf, size, offset, ret) < 0)
			return kd_error_os(errno, "cannot write %s", to);
		if (progress)
			progress(arg, (offset + size) / COPY_PAGE, st.st_size / COPY_PAGE);
	}
	if (fsync(out) < 0)
		return kd_error_os(errno, "cannot sync %s", to);
	return NULL;
}
