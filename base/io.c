/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/text.h"

enum { COUNTED_NUMBERS = 10 };

ssize_t kd_read_all(int fd, void *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

ssize_t kd_pread_all(int fd, void *buf, size_t size, off_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)buf + done, size - done, offset + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

int kd_write_all(int fd, const void *buf, size_t size)
{
	while (size) {
		ssize_t n = write(fd, buf, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		buf = (const char *)buf + n;
		size -= n;
	}
	return 0;
}

int kd_pwrite_all(int fd, const void *buf, size_t size, off_t offset)
{
	while (size) {
		ssize_t n = pwrite(fd, buf, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		buf = (const char *)buf + n;
		size -= n;
		offset += n;
	}
	return 0;
}

struct kd_error *kd_read_fd(int fd, const char *path, size_t max, char **ret, size_t *size_ret)
{
	_cleanup_free_ char *buf = NULL;
	size_t capacity = 4096, size = 0;
	struct stat st;

	/* st_size is a hint only: /proc says 0, /sys says 4096. A number of /proc/sys comes with the first read or not
	 * at all (Linux kernel/sysctl.c, do_proc_dointvec), so that one has to be large enough. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size < max && (size_t)st.st_size >= capacity)
		capacity = st.st_size + 1;
	for (;;) {
		char *grown = realloc(buf, capacity + 1);
		ssize_t n;

		if (!grown)
			return kd_error_nomem();
		buf = grown;
		n = kd_read_all(fd, buf + size, capacity - size);
		if (n < 0)
			return kd_error_os(errno, "cannot read %s", path);
		size += n;
		if (size > max)
			return kd_error_create(KD_ERR_LIMIT, "%s is larger than %zu bytes", path, max);
		if (size < capacity)
			break;
		capacity *= 2;
	}
	buf[size] = '\0';
	*ret = take_ptr(buf);
	if (size_ret)
		*size_ret = size;
	return NULL;
}

struct kd_error *kd_read_file(const char *path, size_t max, char **ret, size_t *size_ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? kd_error_os(errno, "cannot open %s", path) : kd_read_fd(fd, path, max, ret, size_ret);
}

struct kd_error *kd_flush_stdout(void)
{
	if (fflush(stdout) || ferror(stdout))
		return kd_error_os(errno, "cannot write to standard output");
	return NULL;
}

struct kd_error *kd_sync_parent(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_close_ int fd = -1;
	const char *dir;

	if (!copy)
		return kd_error_nomem();
	dir = dirname(copy);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return kd_error_os(errno, "cannot sync directory %s", dir);
	return NULL;
}

struct kd_error *kd_write_file_atomic(const char *path, const void *data, size_t size, mode_t mode)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_close_ int fd = -1;
	struct kd_error *err;
	struct stat st;

	/* A rename would put a file in the place of /dev/null, or of the link /dev/stdout, for the whole machine. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return kd_error_create(KD_ERR_USAGE, "cannot write %s: it is not a regular file: name another one",
				       path);
	err = kd_format(&temporary, "%s.XXXXXX", path);
	if (err)
		return err;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return kd_error_os(errno, "cannot write %s", path);
	if (fchmod(fd, mode) < 0 || kd_write_all(fd, data, size) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0) {
		err = kd_error_os(errno, "cannot write %s", path);
		unlink(temporary);
		return err;
	}
	return kd_sync_parent(path);
}

struct kd_error *kd_mkdir_p(const char *path, mode_t mode)
{
	_cleanup_free_ char *copy = strdup(path);
	char *p;

	if (!copy)
		return kd_error_nomem();
	for (p = copy + (*copy == '/'); *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (*copy && mkdir(copy, mode) < 0 && errno != EEXIST)
			return kd_error_os(errno, "cannot create directory %s", copy);
		*p = '/';
	}
	if (mkdir(copy, mode) < 0 && errno != EEXIST)
		return kd_error_os(errno, "cannot create directory %s", path);
	return NULL;
}

unsigned int kd_next_number(unsigned int number)
{
	unsigned int drawn = 0;

	/* It must not wait for random numbers, which a capture kernel may not have yet. */
	if (number < COUNTED_NUMBERS || getrandom(&drawn, sizeof(drawn), GRND_INSECURE) != sizeof(drawn))
		return number + 1;
	return drawn;
}
