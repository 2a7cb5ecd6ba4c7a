/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/write/output.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "dumpfilter/vmcore/flattened_format.h"

static struct kd_error *os_error(struct output *output)
{
	if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
		__atomic_store_n(&output->full, true, __ATOMIC_RELAXED);
	return kd_error_os(errno, "%s", output->path);
}

static struct kd_error *limit_error(struct output *output)
{
	__atomic_store_n(&output->full, true, __ATOMIC_RELAXED);
	return kd_error_os(ENOSPC, "%s may have at most %lu bytes", output->path, output->limit);
}

static uint64_t align_up(uint64_t size)
{
	return (size + OUTPUT_ALIGN - 1) & ~(uint64_t)(OUTPUT_ALIGN - 1);
}

/* Opens the same file again with O_DIRECT; -1 if its file system does not support that, or if another file has taken
 * its place. */
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

static struct kd_error *remove_regular(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? NULL : kd_error_os(errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return kd_error_create(KD_ERR_USAGE, "%s is not a regular file, so -f does not replace it", path);
	return unlink(path) < 0 ? kd_error_os(errno, "%s", path) : NULL;
}

struct kd_error *output_create_fd(const char *path, bool replace, int *fd_ret)
{
	struct kd_error *err = replace ? remove_regular(path) : NULL;

	if (err)
		return err;
	*fd_ret = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return *fd_ret < 0 ? kd_error_os(errno, "%s", path) : NULL;
}

struct kd_error *output_create(struct output *output, const char *path, bool direct)
{
	struct kd_error *err;

	output->direct_fd = -1;
	output->path = path;
	err = output_create_fd(path, output->replace, &output->fd);
	if (err) {
		output->full = err->errnum == ENOSPC || err->errnum == EDQUOT;
		return err;
	}
	if (direct)
		output->direct_fd = open_direct(path, output->fd);
	return NULL;
}

void output_release(struct output *output)
{
	free(output->head);
	output->head = NULL;
	if (output->kind == OUTPUT_FILE && output->fd >= 0)
		close(output->fd);
	if (output->direct_fd >= 0)
		close(output->direct_fd);
	output->fd = output->direct_fd = -1;
}

struct kd_error *output_create_stream(struct output *output, int fd, const char *name)
{
	const struct flattened_header header = { .signature = FLATTENED_SIGNATURE,
						 .type = htobe64(FLATTENED_TYPE),
						 .version = htobe64(FLATTENED_VERSION) };
	uint8_t block[FLATTENED_HEADER_SIZE] = { 0 };

	output->kind = OUTPUT_STREAM;
	output->path = name;
	output->fd = fd;
	pthread_mutex_init(&output->lock, NULL);
	output->head = calloc(1, OUTPUT_ALIGN);
	if (!output->head)
		return kd_error_nomem();
	memcpy(block, &header, sizeof(header));
	return kd_write_all(fd, block, sizeof(block)) < 0 ? os_error(output) : NULL;
}

static struct kd_error *write_record(struct output *output, uint64_t offset, const void *data, size_t size)
{
	const struct flattened_record record = { htobe64(offset), htobe64(size) };

	return kd_write_all(output->fd, &record, sizeof(record)) < 0 || kd_write_all(output->fd, data, size) < 0 ?
		       os_error(output) :
		       NULL;
}

void output_hold(struct output *output, size_t offset, size_t size)
{
	assert(offset + size <= OUTPUT_ALIGN && output->head_size == 0);
	output->held_offset = offset;
	output->held_size = size;
}

/* The part of the head from @start to @end, as far as there is one. */
static struct kd_error *send_part(struct output *output, size_t start, size_t end)
{
	if (end > output->head_size)
		end = output->head_size;
	return start < end ? write_record(output, start, output->head + start, end - start) : NULL;
}

/* All of the head but what is held back. */
static struct kd_error *send_head(struct output *output)
{
	struct kd_error *err = send_part(output, 0, output->held_offset);

	output->head_sent = true;
	return err ? err : send_part(output, output->held_offset + output->held_size, OUTPUT_ALIGN);
}

static bool is_held(const struct output *output, uint64_t offset, size_t size)
{
	return offset >= output->held_offset && offset + size <= output->held_offset + output->held_size;
}

/* Keep what belongs to the head. Returns how many bytes that are. */
static size_t keep_head(struct output *output, uint64_t offset, const uint8_t *data, size_t size)
{
	size_t piece = OUTPUT_ALIGN - offset < size ? OUTPUT_ALIGN - offset : size;

	assert(!output->head_sent || is_held(output, offset, piece));
	memcpy(output->head + offset, data, piece);
	if (offset + piece > output->head_size)
		output->head_size = offset + piece;
	return piece;
}

static struct kd_error *stream_at(struct output *output, uint64_t offset, const uint8_t *data, size_t size)
{
	struct kd_error *err = NULL;
	size_t kept = 0;

	if (size == 0)
		return NULL;
	pthread_mutex_lock(&output->lock);
	if (offset < OUTPUT_ALIGN)
		kept = keep_head(output, offset, data, size);
	/* Who reads a stream that is cut off needs the head. Where nothing is held back, all of it may still change. */
	if (kept < size && !output->head_sent && output->held_size)
		err = send_head(output);
	if (!err && kept < size)
		err = write_record(output, offset + kept, data + kept, size - kept);
	pthread_mutex_unlock(&output->lock);
	return err;
}

struct kd_error *output_end_stream(struct output *output)
{
	const struct flattened_record end = { UINT64_MAX, UINT64_MAX };
	struct kd_error *err;

	if (output->kind != OUTPUT_STREAM)
		return NULL;
	err = output->head_sent ? NULL : send_head(output);
	if (!err)
		err = send_part(output, output->held_offset, output->held_offset + output->held_size);
	if (!err && kd_write_all(output->fd, &end, sizeof(end)) < 0)
		err = os_error(output);
	return err;
}

struct kd_error *output_restart(struct output *output)
{
	if (output->kind == OUTPUT_STREAM)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s: data that was written to a stream cannot be taken back",
				       output->path);
	output->end = 0;
	output->full = false;
	return output->fd >= 0 && ftruncate(output->fd, 0) < 0 ? os_error(output) : NULL;
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
	if (output->kind == OUTPUT_STREAM)
		return stream_at(output, offset, data, size);
	if (output->kind == OUTPUT_NOWHERE)
		return NULL;
	return write_some(output->fd, data, size, offset) < size ? os_error(output) : NULL;
}

struct kd_error *output_reserve(struct output *output, uint64_t offset, uint64_t size)
{
	static uint8_t zeros[64 << 10]; /* not const, which would put them into the file */
	struct kd_error *err = NULL;

	if (within_limit(output, offset, size) < size)
		return limit_error(output);
	if (output->kind != OUTPUT_FILE) /* bytes that no record has are zero */
		return NULL;
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
	assert(offset % OUTPUT_ALIGN == 0);
	output->end = offset;
}

uint64_t output_claim(struct output *output, size_t size)
{
	return __atomic_fetch_add(&output->end, output->direct_fd >= 0 ? align_up(size) : size, __ATOMIC_RELAXED);
}

struct kd_error *output_check(struct output *output)
{
	/* No page is waited for where no file has one, and the file's error is told all the same (fs/sync.c). */
	const off_t nowhere = INT64_MAX - OUTPUT_ALIGN;

	if (output->kind != OUTPUT_FILE || sync_file_range(output->fd, nowhere, 1, SYNC_FILE_RANGE_WAIT_BEFORE) == 0 ||
	    (errno != EIO && errno != ENOSPC && errno != EDQUOT))
		return NULL;
	return os_error(output);
}

struct kd_error *output_put(struct output *output, uint64_t offset, void *data, size_t size, size_t *done_ret)
{
	size_t allowed = within_limit(output, offset, size), whole = align_up(allowed), done = 0;

	assert((uintptr_t)data % OUTPUT_ALIGN == 0);
	if (output->kind != OUTPUT_FILE) {
		struct kd_error *err = size ? output_write_at(output, offset, data, size) : NULL;

		*done_ret = err ? 0 : size;
		return err;
	}
	if (output->direct_fd >= 0 && within_limit(output, offset, whole) == whole) {
		memset((uint8_t *)data + size, 0, align_up(size) - size);
		done = write_some(output->direct_fd, data, whole, offset);
	}
	/* A file system that does not support O_DIRECT may refuse it only now; and a disk that is nearly full may have
	 * room for less than a block more. */
	if (done < allowed)
		done += write_some(output->fd, (uint8_t *)data + done, allowed - done, offset + done);
	*done_ret = done < allowed ? done : allowed;
	if (*done_ret == size)
		return NULL;
	return done < allowed ? os_error(output) : limit_error(output);
}

struct kd_error *output_extend(struct output *output, uint64_t size)
{
	if (within_limit(output, 0, size) < size)
		return limit_error(output);
	return output->kind == OUTPUT_FILE && ftruncate(output->fd, (off_t)size) < 0 ? os_error(output) : NULL;
}

uint64_t output_size(const struct output *output)
{
	struct stat st;

	if (output->kind != OUTPUT_FILE)
		return output->end;
	return output->fd < 0 || fstat(output->fd, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

struct kd_error *output_sync(struct output *output)
{
	return output->kind == OUTPUT_FILE && fdatasync(output->fd) < 0 ? os_error(output) : NULL;
}
