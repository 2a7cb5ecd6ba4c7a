/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/unlock/cpio.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decompress.h"

#define TRAILER "TRAILER!!!"

enum { HEADER_SIZE = 110, MAGIC_SIZE = 6, DIGITS = 8, FIELD_MODE = 1, FIELD_SIZE = 6, FIELD_NAME_SIZE = 11 };

struct walk {
	const char *data;
	size_t size, at, start; /* of the archive that is being read */
	const char *what;
	cpio_member *member;
	void *arg;
};

static struct kd_error *malformed(const struct walk *walk)
{
	return kd_error_create(KD_ERR_FORMAT, "%s: the cpio archive in it is damaged at byte %zu", walk->what,
			       walk->at);
}

static bool is_archive(const char *data, size_t size)
{
	return size >= HEADER_SIZE &&
	       (memcmp(data, "070701", MAGIC_SIZE) == 0 || memcmp(data, "070702", MAGIC_SIZE) == 0);
}

/* Eight hexadecimal digits. */
static bool get_field(const char *header, unsigned int field, uint32_t *ret)
{
	char digits[DIGITS + 1] = "", *end;

	memcpy(digits, header + MAGIC_SIZE + field * DIGITS, DIGITS);
	if (strspn(digits, "0123456789abcdefABCDEF") != DIGITS)
		return false;
	*ret = (uint32_t)strtoul(digits, &end, 16);
	return true;
}

/* Move on by @size bytes and to a multiple of four of the archive. Returns false if it ends before. */
static bool advance(struct walk *walk, size_t size)
{
	if (size > walk->size - walk->at)
		return false;
	walk->at += size;
	while ((walk->at - walk->start) % 4 && walk->at < walk->size)
		walk->at++;
	return true;
}

static const char *plain_name(const char *name)
{
	if (name[0] == '.' && name[1] == '/')
		name += 2;
	return name + strspn(name, "/");
}

/* *last := it is the end of the archive. */
static struct kd_error *read_member(struct walk *walk, bool *last)
{
	const char *header = walk->data + walk->at, *name = header + HEADER_SIZE, *data;
	uint32_t mode, size, name_size;

	if (!is_archive(header, walk->size - walk->at) || !get_field(header, FIELD_MODE, &mode) ||
	    !get_field(header, FIELD_SIZE, &size) || !get_field(header, FIELD_NAME_SIZE, &name_size) || !name_size ||
	    name_size > walk->size - walk->at - HEADER_SIZE || name[name_size - 1] != '\0')
		return malformed(walk);
	if (!advance(walk, HEADER_SIZE + (size_t)name_size))
		return malformed(walk);
	data = walk->data + walk->at;
	*last = strcmp(name, TRAILER) == 0;
	if (!advance(walk, size))
		return malformed(walk);
	if (!*last)
		walk->member(walk->arg, plain_name(name), (mode_t)mode, data, size);
	return NULL;
}

/* All archives up to something else, or the end. */
static struct kd_error *read_archives(struct walk *walk)
{
	struct kd_error *err = NULL;

	for (;;) {
		bool last = false;

		while (walk->at < walk->size && !walk->data[walk->at])
			walk->at++;
		if (!is_archive(walk->data + walk->at, walk->size - walk->at))
			return NULL;
		walk->start = walk->at;
		while (!err && !last)
			err = read_member(walk, &last);
		if (err)
			return err;
	}
}

struct kd_error *cpio_walk(const void *data, size_t size, size_t max, const char *what, cpio_member *member, void *arg)
{
	struct walk walk = { .data = data, .size = size, .what = what, .member = member, .arg = arg }, inner = walk;
	_cleanup_free_ void *expanded = NULL;
	kd_decompress_fn *decompress;
	struct kd_error *err = read_archives(&walk);

	if (err || walk.at == walk.size)
		return err;
	decompress = kd_decompress_probe(walk.data + walk.at, walk.size - walk.at);
	if (!decompress)
		return malformed(&walk);
	err = decompress(walk.data + walk.at, walk.size - walk.at, max, what, &expanded, &inner.size);
	if (err)
		return err;
	inner.data = expanded;
	err = read_archives(&inner);
	return err || inner.at == inner.size ? err : malformed(&inner);
}
