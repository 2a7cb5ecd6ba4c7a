/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"

/* A name ends at a multiple of this, and so does the content. */
#define ALIGN   4u
#define TRAILER "TRAILER!!!"

/* Bytes at @at; while that is NULL they are only counted. */
struct writer {
	char *at;
	size_t size;
};

static void put(struct writer *writer, const void *data, size_t size)
{
	if (writer->at)
		memcpy(writer->at + writer->size, data, size);
	writer->size += size;
}

static void pad(struct writer *writer)
{
	put(writer, "\0\0\0", -writer->size % ALIGN);
}

/* @name: without the leading slash, @length bytes of it. */
static void put_member(struct writer *writer, const char *name, size_t length, mode_t mode, const void *data,
		       size_t size)
{
	/* Inode, mode, user, group, links, time, size, two numbers of the file's device, two of its own if it is one,
	 * size of the name with its NUL, checksum. */
	const unsigned int field[] = {
		0, (unsigned int)mode, 0, 0, 1, 0, (unsigned int)size, 0, 0, 0, 0, (unsigned int)length + 1, 0,
	};
	char number[9];

	put(writer, "070701", 6);
	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		snprintf(number, sizeof(number), "%08x", field[i]);
		put(writer, number, 8);
	}
	put(writer, name, length);
	put(writer, "", 1);
	pad(writer);
	put(writer, data, size);
	pad(writer);
}

static void put_file(struct writer *writer, const struct secret_file *file)
{
	const char *name = file->path + 1;

	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/'))
		put_member(writer, name, (size_t)(slash - name), S_IFDIR | 0755, "", 0);
	put_member(writer, name, strlen(name), S_IFREG | 0600, file->data, file->size);
}

static void put_all(struct writer *writer, const struct secret_file *file, size_t count)
{
	for (size_t i = 0; i < count; i++)
		put_file(writer, &file[i]);
	put_member(writer, TRAILER, strlen(TRAILER), 0, "", 0);
}

struct kd_error *secrets_archive(const struct secret_file *file, size_t count, char **ret, size_t *size_ret)
{
	struct writer writer = { 0 };

	if (!count) {
		*ret = NULL;
		*size_ret = 0;
		return NULL;
	}
	put_all(&writer, file, count);
	writer.at = malloc(writer.size);
	if (!writer.at)
		return kd_error_nomem();
	writer.size = 0;
	put_all(&writer, file, count);
	*ret = writer.at;
	*size_ret = writer.size;
	return NULL;
}
