/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/decrypt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/text.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/vmcore/flattened_format.h"

/* The content of an encrypted file, from its beginning to where it cannot be read any more. */
struct content {
	struct kd_age_reader *reader;
	const char *path;
	const uint8_t *data; /* of the chunk, what has not been taken */
	size_t size;
	bool ended;
	struct kd_error *missing; /* why it has ended before its end */
};

static struct kd_error *cut_error(const struct content *content)
{
	return kd_error_create(KD_ERR_FORMAT,
			       "%s was cut off, or is damaged, behind offset 0x%" PRIx64
			       ": the last chunk, which tells that nothing is missing, is not there",
			       content->path, kd_age_offset(content->reader));
}

/* Read the next chunk, if there is one. What cannot be read ends the content. KD_ERR_OS */
static struct kd_error *advance(struct content *content)
{
	enum kd_age_state state = KD_AGE_CUT;
	struct kd_error *err = kd_age_read(content->reader, &content->data, &content->size, &state);

	if (err && err->code == KD_ERR_OS)
		return err;
	if (err)
		content->missing = err;
	else if (state == KD_AGE_CUT)
		content->missing = cut_error(content);
	content->ended = content->missing || state == KD_AGE_LAST;
	return NULL;
}

static struct kd_error *content_read(void *arg, void *buf, size_t size, size_t *done)
{
	struct content *content = arg;
	struct kd_error *err = NULL;
	size_t taken = 0;

	while (taken < size && !err) {
		size_t piece = content->size < size - taken ? content->size : size - taken;

		if (piece) {
			memcpy((uint8_t *)buf + taken, content->data, piece);
			content->data += piece;
			content->size -= piece;
			taken += piece;
		} else if (content->ended) {
			break;
		} else {
			err = advance(content);
		}
	}
	*done = taken;
	return err;
}

static bool is_flattened(const struct content *content)
{
	return content->size >= sizeof(FLATTENED_SIGNATURE) &&
	       memcmp(content->data, FLATTENED_SIGNATURE, sizeof(FLATTENED_SIGNATURE)) == 0;
}

static struct kd_error *copy_plain(struct content *content, const char *out)
{
	_cleanup_close_ int fd = open(out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct kd_error *err = NULL;

	if (fd < 0)
		return kd_error_os(errno, "cannot create %s", out);
	for (;;) {
		if (kd_write_all(fd, content->data, content->size) < 0)
			return kd_error_os(errno, "cannot write %s", out);
		if (content->ended)
			break;
		err = advance(content);
		if (err)
			return err;
	}
	return fsync(fd) < 0 ? kd_error_os(errno, "cannot write %s", out) : NULL;
}

/* *missing: what the content lacks although its encryption is whole. */
static struct kd_error *copy_dump(struct content *content, const char *out, struct kd_error **missing)
{
	const struct dumpfilter_stream stream = { .read = content_read, .arg = content };
	bool whole = false;
	struct kd_error *err = dumpfilter_rearrange_stream(&stream, out, false, &whole);

	/* What follows the end record belongs to the file as well: is the last chunk there? */
	while (!err && !content->ended)
		err = advance(content);
	if (!err && !whole)
		*missing = kd_error_create(KD_ERR_FORMAT, "the dump in %s is incomplete: the capture was interrupted",
					   content->path);
	return err;
}

static struct kd_error *copy_content(struct content *content, const char *out)
{
	_cleanup_(kd_error_destroy) struct kd_error *missing = NULL;
	struct kd_error *err = advance(content);

	if (!err)
		err = is_flattened(content) ? copy_dump(content, out, &missing) : copy_plain(content, out);
	if (!content->missing)
		content->missing = take_ptr(missing);
	return err;
}

/* Give the file its name, unless that is taken. */
static struct kd_error *put_in_place(const char *part, const char *out)
{
	if (renameat2(AT_FDCWD, part, AT_FDCWD, out, RENAME_NOREPLACE) == 0)
		return kd_sync_parent(out);
	/* Not every file system can do this in one step. */
	if (errno == EINVAL && access(out, F_OK) < 0 && rename(part, out) == 0)
		return kd_sync_parent(out);
	return kd_error_os(errno, "cannot create %s", out);
}

/* @content has been copied into the file @part, as far as it can be read. *missing: what is not in it. */
static struct kd_error *judge(struct content *content, bool partial, char **missing)
{
	_cleanup_(kd_error_destroy) struct kd_error *reason = take_ptr(content->missing);

	if (!reason)
		return NULL;
	if (!partial)
		return kd_error_create(KD_ERR_FORMAT, "%s; \"--partial\" decrypts what comes before that",
				       reason->text);
	return kd_set_text(missing, reason->text);
}

static struct kd_error *decrypt_content(struct content *content, const char *out, bool partial, struct decrypted *ret)
{
	_cleanup_free_ char *part = NULL, *missing = NULL;
	struct kd_error *err = kd_format(&part, "%s.part", out);

	if (!err)
		err = copy_content(content, part);
	if (err && err->errnum == EEXIST) /* it is not ours */
		return err;
	if (err && err->code == KD_ERR_FORMAT && content->missing) {
		kd_error_destroy(err);
		err = take_ptr(content->missing);
	}
	if (!err)
		err = judge(content, partial, &missing);
	if (!err)
		err = put_in_place(part, out);
	if (err) {
		if (part)
			unlink(part);
		return err;
	}
	*ret = (struct decrypted){ .whole = !missing, .missing = take_ptr(missing) };
	return NULL;
}

static struct kd_error *decrypt_open(int fd, const char *path, const char *out, const struct secret_keys *keys,
				     bool partial, struct decrypted *ret)
{
	_cleanup_(kd_age_reader_free) struct kd_age_reader *reader = NULL;
	struct content content = { .path = path };
	struct kd_error *err = kd_age_open(fd, path, keys->key, keys->count, &reader);

	if (err)
		return err;
	content.reader = reader;
	err = decrypt_content(&content, out, partial, ret);
	kd_error_destroy(content.missing);
	return err;
}

struct kd_error *decrypt_file(const char *path, const char *out, const struct secret_keys *keys, bool partial,
			      struct decrypted *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return kd_error_os(errno, "cannot open %s", path);
	if (access(out, F_OK) == 0)
		return kd_error_os(EEXIST, "cannot create %s", out);
	return decrypt_open(fd, path, out, keys, partial, ret);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static bool cut_suffix(char *name, const char *suffix)
{
	size_t length = strlen(name), suffix_length = strlen(suffix);

	if (length <= suffix_length || strcmp(name + length - suffix_length, suffix) != 0)
		return false;
	name[length - suffix_length] = '\0';
	return true;
}

struct kd_error *decrypt_name(const char *name, char **ret)
{
	_cleanup_free_ char *plain = strdup(name);

	if (!plain)
		return kd_error_nomem();
	if (!cut_suffix(plain, KD_AGE_SUFFIX)) {
		*ret = NULL;
		return NULL;
	}
	cut_suffix(plain, ".flat");
	*ret = take_ptr(plain);
	return NULL;
}
