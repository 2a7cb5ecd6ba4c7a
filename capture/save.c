/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/save.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"

#define RESERVE "reserved-for-report"

struct kd_error *save_finish(int dir, const char *incomplete, const char *name)
{
	_cleanup_close_ int fd = openat(dir, incomplete, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0 || renameat(dir, incomplete, dir, name) < 0 || fsync(dir) < 0)
		return kd_error_os(errno, "cannot finish %s", name);
	return NULL;
}

struct kd_error *save_file(int dir, const char *incomplete, const char *name,
			   struct kd_error *(*fill)(FILE *out, void *arg), void *arg)
{
	_cleanup_fclose_ FILE *out = NULL;
	_cleanup_close_ int fd = openat(dir, incomplete, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct kd_error *err;

	if (fd < 0 || !(out = fdopen(fd, "w")))
		return kd_error_os(errno, "cannot create %s", incomplete);
	take_fd(fd);
	err = fill(out, arg);
	if (err)
		return err;
	if (fflush(out) != 0 || ferror(out))
		return kd_error_os(errno, "cannot write %s", incomplete);
	return save_finish(dir, incomplete, name);
}

struct kd_error *save_reserve(int dir, size_t size)
{
	_cleanup_close_ int fd = openat(dir, RESERVE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_free_ void *zeros = calloc(1, size);

	if (!zeros)
		return kd_error_nomem();
	/* Write zeros, because not every file system has fallocate(2); sync, because some allocate space late. */
	if (fd < 0 || kd_write_all(fd, zeros, size) < 0 || fsync(fd) < 0)
		return kd_error_os(errno, "cannot reserve space for the report");
	return NULL;
}

void save_release(int dir)
{
	unlinkat(dir, RESERVE, 0);
}
