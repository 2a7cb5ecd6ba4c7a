/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

#define BUFFER_SIZE ((size_t)1 << 20)

static struct kd_error *os_error(const struct output *output)
{
	return kd_error_os(errno, "%s", output->path);
}

struct kd_error *output_create(struct output *output, const char *path)
{
	*output = (struct output){ .fd = -1, .path = path };
	output->buf = aligned_alloc(OUTPUT_ALIGN, BUFFER_SIZE);
	if (!output->buf)
		return kd_error_nomem();
	output->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return output->fd < 0 ? os_error(output) : NULL;
}

void output_release(struct output *output)
{
	if (output->fd >= 0)
		close(output->fd);
	output->fd = -1;
	free(output->buf);
	output->buf = NULL;
}

struct kd_error *output_restart(struct output *output)
{
	output->used = 0;
	output->buf_offset = output->written = 0;
	return ftruncate(output->fd, 0) < 0 ? os_error(output) : NULL;
}

struct kd_error *output_write_at(struct output *output, uint64_t offset, const void *data, size_t size)
{
	return kd_pwrite_all(output->fd, data, size, (off_t)offset) < 0 ? os_error(output) : NULL;
}

struct kd_error *output_reserve(struct output *output, uint64_t offset, uint64_t size)
{
	static uint8_t zeros[64 << 10]; /* not const, which would put them into the file */
	struct kd_error *err = NULL;

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
	output->buf_offset = output->written = offset;
	output->used = 0;
}

uint64_t output_position(const struct output *output)
{
	return output->buf_offset + output->used;
}

/* The tail that does not fill an aligned block is written, but stays in the buffer: the next write begins with it
 * again, and so is aligned too. */
struct kd_error *output_flush(struct output *output)
{
	uint64_t end = output_position(output);
	uint64_t aligned_end = end & ~(uint64_t)(OUTPUT_ALIGN - 1);

	while (output->written < end) {
		uint64_t start = output->written & ~(uint64_t)(OUTPUT_ALIGN - 1);
		ssize_t done = pwrite(output->fd, output->buf + (start - output->buf_offset), end - start,
				      (off_t)start);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return os_error(output);
		if (start + (uint64_t)done <= output->written)
			/* Not even one block more: the disk is full, and the next try would say so. */
			return kd_error_os(ENOSPC, "%s", output->path);
		output->written = start + (uint64_t)done;
	}
	output->used = end - aligned_end;
	memmove(output->buf, output->buf + (aligned_end - output->buf_offset), output->used);
	output->buf_offset = aligned_end;
	return NULL;
}

struct kd_error *output_append(struct output *output, const void *data, size_t size)
{
	const uint8_t *in = data;

	while (size > 0) {
		size_t room = BUFFER_SIZE - output->used, piece = size < room ? size : room;

		memcpy(output->buf + output->used, in, piece);
		output->used += piece;
		in += piece;
		size -= piece;
		if (output->used == BUFFER_SIZE) {
			struct kd_error *err = output_flush(output);

			if (err)
				return err;
		}
	}
	return NULL;
}

struct kd_error *output_sync(struct output *output)
{
	return fdatasync(output->fd) < 0 ? os_error(output) : NULL;
}
