/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/save.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"

#define RESERVE "reserved-for-report"

struct kd_error *save_finish(int dir, const char *incomplete, const char *name)
{
	_cleanup_close_ int fd = openat(dir, incomplete, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0 || renameat(dir, incomplete, dir, name) < 0 || fsync(dir) < 0)
		return kd_error_os(errno, "cannot finish %s", name);
	return NULL;
}

static struct kd_error *fill_stream(FILE *out, const char *name, struct kd_error *(*fill)(FILE *out, void *arg),
				    void *arg)
{
	struct kd_error *err = fill(out, arg);

	if (!err && (fflush(out) != 0 || ferror(out)))
		err = kd_error_os(errno, "cannot write %s", name);
	return err;
}

struct kd_error *save_public_file(int dir, const char *incomplete, const char *name,
				  struct kd_error *(*fill)(FILE *out, void *arg), void *arg)
{
	_cleanup_fclose_ FILE *out = NULL;
	_cleanup_close_ int fd = openat(dir, incomplete, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct kd_error *err;

	if (fd < 0 || !(out = fdopen(fd, "w")))
		return kd_error_os(errno, "cannot create %s", incomplete);
	take_fd(fd);
	err = fill_stream(out, incomplete, fill, arg);
	return err ? err : save_finish(dir, incomplete, name);
}

/* What came before an error is finished as well: less than a chunk is not in the file before. */
static struct kd_error *save_encrypted(int dir, const struct encryption *encryption, const char *incomplete,
				       const char *name, struct kd_error *(*fill)(FILE *out, void *arg), void *arg)
{
	_cleanup_(kd_age_writer_free) struct kd_age_writer *writer = NULL;
	_cleanup_fclose_ FILE *out = NULL;
	_cleanup_close_ int fd = openat(dir, incomplete, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct kd_error *err, *finish_err;

	if (fd < 0)
		return kd_error_os(errno, "cannot create %s", incomplete);
	err = encryption_begin(encryption, fd, incomplete, &writer);
	if (err)
		return err;
	out = encryption_stream(writer);
	if (!out)
		return kd_error_nomem();
	err = fill_stream(out, incomplete, fill, arg);
	fflush(out);
	finish_err = kd_age_finish(writer);
	if (err) {
		kd_error_destroy(finish_err);
		return err;
	}
	return finish_err ? finish_err : save_finish(dir, incomplete, name);
}

struct kd_error *save_file(int dir, const struct encryption *encryption, const char *incomplete, const char *name,
			   struct kd_error *(*fill)(FILE *out, void *arg), void *arg)
{
	_cleanup_free_ char *encrypted = NULL, *encrypted_incomplete = NULL;
	struct kd_error *err;

	if (!encryption->wanted)
		return save_public_file(dir, incomplete, name, fill, arg);
	err = kd_format(&encrypted, "%s" KD_AGE_SUFFIX, name);
	if (!err)
		err = kd_format(&encrypted_incomplete, "%s" KD_AGE_SUFFIX, incomplete);
	return err ? err : save_encrypted(dir, encryption, encrypted_incomplete, encrypted, fill, arg);
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
