/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct kd_error *os_error(struct output *output)
{
	if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
		__atomic_store_n(&output->full, true, __ATOMIC_RELAXED);
	return kd_error_os(errno, "%s", output->path);
}

static struct kd_error *limit_error(struct output *output)
{
	__atomic_store_n(&output->full, true, __ATOMIC_RELAXED);
	return kd_error_os(ENOSPC, "%s: it may have %lu bytes", output->path, output->limit);
}

static uint64_t align_up(uint64_t size)
{
	return (size + OUTPUT_ALIGN - 1) & ~(uint64_t)(OUTPUT_ALIGN - 1);
}

/* The same file once more; -1 if its file system has no such way, or if somebody has put another file in its place. */
static int open_direct(const char *path, int fd)
{
	int direct_fd = open(path, O_WRONLY | O_DIRECT | O_NOFOLLOW | O_CLOEXEC);
	struct stat a, b;

	if (direct_fd >= 0 && fstat(fd, &a) == 0 && fstat(direct_fd, &b) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino)
		return direct_fd;
	if (direct_fd >= 0)
		close(direct_fd);
	return -1;
}

struct kd_error *output_create(struct output *output, const char *path, bool direct)
{
	output->direct_fd = -1;
	output->path = path;
	output->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (output->fd < 0)
		return os_error(output);
	if (direct)
		output->direct_fd = open_direct(path, output->fd);
	return NULL;
}

void output_release(struct output *output)
{
	if (output->fd >= 0)
		close(output->fd);
	if (output->direct_fd >= 0)
		close(output->direct_fd);
	output->fd = output->direct_fd = -1;
}

struct kd_error *output_restart(struct output *output)
{
	output->end = 0;
	output->full = false;
	return ftruncate(output->fd, 0) < 0 ? os_error(output) : NULL;
}

/* As much as can be written; less than @size with errno set. */
static size_t write_some(int fd, const uint8_t *data, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t piece = pwrite(fd, data + done, size - done, (off_t)(offset + done));

		if (piece < 0 && errno == EINTR)
			continue;
		if (piece < 0)
			break;
		if (piece == 0) {
			errno = ENOSPC;
			break;
		}
		done += (size_t)piece;
	}
	return done;
}

/* How much of it may be written. */
static size_t within_limit(const struct output *output, uint64_t offset, size_t size)
{
	uint64_t room;

	if (!output->limit)
		return size;
	room = output->limit > offset ? output->limit - offset : 0;
	return room < size ? (size_t)room : size;
}

struct kd_error *output_write_at(struct output *output, uint64_t offset, const void *data, size_t size)
{
	if (within_limit(output, offset, size) < size)
		return limit_error(output);
	return write_some(output->fd, data, size, offset) < size ? os_error(output) : NULL;
}

struct kd_error *output_reserve(struct output *output, uint64_t offset, uint64_t size)
{
	static uint8_t zeros[64 << 10]; /* not const, which would put them into the file */
	struct kd_error *err = NULL;

	if (within_limit(output, offset, size) < size)
		return limit_error(output);
	if (size == 0 || fallocate(output->fd, 0, (off_t)offset, (off_t)size) == 0)
		return NULL;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return os_error(output);
	for (uint64_t done = 0, piece; done < size && !err; done += piece) {
		piece = size - done < sizeof(zeros) ? size - done : sizeof(zeros);
		err = output_write_at(output, offset + done, zeros, piece);
	}
	return err;
}

void output_begin_data(struct output *output, uint64_t offset)
{
	output->end = offset;
}

uint64_t output_claim(struct output *output, size_t size)
{
	return __atomic_fetch_add(&output->end, output->direct_fd >= 0 ? align_up(size) : size, __ATOMIC_RELAXED);
}

struct kd_error *output_put(struct output *output, uint64_t offset, void *data, size_t size, size_t *done_ret)
{
	size_t allowed = within_limit(output, offset, size), whole = align_up(allowed), done = 0;

	if (output->direct_fd >= 0 && within_limit(output, offset, whole) == whole) {
		memset((uint8_t *)data + size, 0, align_up(size) - size);
		done = write_some(output->direct_fd, data, whole, offset);
	}
	/* Whoever does not take it that way says so now; and a disk that is nearly full may have room for less than a
	 * block more. */
	if (done < allowed)
		done += write_some(output->fd, (uint8_t *)data + done, allowed - done, offset + done);
	*done_ret = done < allowed ? done : allowed;
	if (*done_ret == size)
		return NULL;
	return done < allowed ? os_error(output) : limit_error(output);
}

uint64_t output_size(const struct output *output)
{
	struct stat st;

	return output->fd < 0 || fstat(output->fd, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

struct kd_error *output_sync(struct output *output)
{
	return fdatasync(output->fd) < 0 ? os_error(output) : NULL;
}
