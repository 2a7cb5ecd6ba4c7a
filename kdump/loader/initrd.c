/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/loader/initrd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/io.h"

#define PARTS_MAX 64

/* A part: a file, or bytes in memory. */
struct part {
	int fd; /* -1: bytes */
	const char *path;
	const void *data;
	size_t size;
};

struct parts {
	struct part part[PARTS_MAX];
	size_t count;
	uint64_t size; /* of all, padding included */
};

static void parts_close(struct parts *parts)
{
	while (parts->count)
		if (parts->part[--parts->count].fd >= 0)
			close(parts->part[parts->count].fd);
}

static inline void parts_close_cleanup(struct parts *parts)
{
	parts_close(parts);
}

/* The kernel looks for another archive where a multiple of 4 bytes has passed (Linux init/initramfs.c,
 * unpack_to_rootfs()). */
static uint64_t padded(uint64_t size)
{
	return (size + 3) & ~(uint64_t)3;
}

static struct kd_error *add_part(struct parts *parts, const struct part *part)
{
	if (parts->count == PARTS_MAX) {
		if (part->fd >= 0)
			close(part->fd);
		return kd_error_create(KD_ERR_LIMIT, "more than %d initramfs files", PARTS_MAX);
	}
	parts->part[parts->count++] = *part;
	parts->size = padded(parts->size) + part->size;
	return NULL;
}

static struct kd_error *add_bytes(struct parts *parts, const void *data, size_t size)
{
	struct part part = { .fd = -1, .data = data, .size = size };

	return size ? add_part(parts, &part) : NULL;
}

static struct kd_error *add_file(const struct loader_request *request, const char *path, uint64_t max,
				 struct parts *parts)
{
	const struct kd_sysroot *files = request->files ? request->files : request->root;
	struct part part = { .path = path };
	struct kd_error *err;

	err = image_open_file(files, path, max, &part.fd, &part.size);
	return err ? kd_error_wrap(err, "cannot read initramfs") : add_part(parts, &part);
}

static struct kd_error *gather(const struct loader_request *request, const struct kernel_image *kernel, uint64_t max,
			       struct parts *parts)
{
	const char *const *more = request->more_initrds;
	struct kd_error *err = NULL;

	if (request->initrd) {
		err = add_file(request, request->initrd, max, parts);
	} else if (kernel->initrd.data) {
		err = add_bytes(parts, kernel->ucode.data, kernel->ucode.size);
		if (!err)
			err = add_bytes(parts, kernel->initrd.data, kernel->initrd.size);
	}
	for (; !err && more && *more; more++)
		err = add_file(request, *more, max, parts);
	if (!err && parts->count)
		err = add_bytes(parts, request->secret, request->secret_size);
	if (!err && parts->size > max)
		err = kd_error_create(KD_ERR_LIMIT, "the initramfs has %" PRIu64 " MiB; there is room for %" PRIu64,
				      kd_mib_up(parts->size), max >> 20);
	return err;
}

static struct kd_error *copy_part(const struct part *part, char *to)
{
	if (part->fd < 0) {
		memcpy(to, part->data, part->size);
		return NULL;
	}
	errno = EIO; /* for a file that got shorter meanwhile */
	if (kd_read_all(part->fd, to, part->size) != (ssize_t)part->size)
		return kd_error_os(errno, "cannot read initramfs: %s", part->path);
	return NULL;
}

struct kd_error *initrd_read(const struct loader_request *request, const struct kernel_image *kernel, uint64_t max,
			     struct initrd *ret)
{
	_cleanup_(parts_close) struct parts parts = { 0 };
	_cleanup_(initrd_free) struct initrd initrd = { 0 };
	struct kd_error *err;
	size_t at = 0;

	err = gather(request, kernel, max, &parts);
	if (err || !parts.count)
		return err;
	initrd.data = malloc(parts.size);
	if (!initrd.data)
		return kd_error_nomem();
	initrd.size = parts.size;
	initrd.secret_size = request->secret_size;
	for (size_t i = 0; i < parts.count; i++) {
		size_t gap = padded(at) - at;

		memset(initrd.data + at, 0, gap);
		at += gap;
		err = copy_part(&parts.part[i], initrd.data + at);
		if (err)
			return err;
		at += parts.part[i].size;
	}
	*ret = initrd;
	initrd = (struct initrd){ 0 };
	return NULL;
}

void initrd_free(struct initrd *initrd)
{
	if (initrd->secret_size)
		explicit_bzero(initrd->data + initrd->size - initrd->secret_size, initrd->secret_size);
	free(initrd->data);
	*initrd = (struct initrd){ 0 };
}
