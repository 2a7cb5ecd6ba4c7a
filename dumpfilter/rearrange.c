/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -R: a flattened dump, out of a pipe, becomes the file that it stands for. */
#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/vmcore/elf_format.h"
#include "dumpfilter/vmcore/flattened_format.h"
#include "dumpfilter/vmcore/kdump_format.h"
#include "dumpfilter/write/output.h"

#define PIECE ((size_t)1 << 20)

/* What is read, and whether it has ended too early. */
struct source {
	const struct dumpfilter_stream *stream;
	bool cut;
};

/* The stream ends before its end record: *cut, and an error to be thrown away if that is not one. */
static struct kd_error *read_exactly(struct source *source, void *buf, size_t size)
{
	size_t done;
	struct kd_error *err = source->stream->read(source->stream->arg, buf, size, &done);

	if (err)
		return err;
	source->cut = done != size;
	if (source->cut)
		return kd_error_create(KD_ERR_FORMAT, "the flattened dump was cut off: it has no end record");
	return NULL;
}

static struct kd_error *check_header(struct source *source, uint8_t *buf)
{
	struct flattened_header header;
	struct kd_error *err = read_exactly(source, buf, FLATTENED_HEADER_SIZE);

	if (err)
		return err;
	memcpy(&header, buf, sizeof(header));
	if (memcmp(header.signature, FLATTENED_SIGNATURE, sizeof(FLATTENED_SIGNATURE)) != 0 ||
	    be64toh(header.type) != FLATTENED_TYPE || be64toh(header.version) != FLATTENED_VERSION)
		return kd_error_create(KD_ERR_FORMAT, "the input is not a flattened dump (of type 1, version 1)");
	return NULL;
}

static struct kd_error *copy_record(struct source *source, int out, const char *out_path, uint64_t offset,
				    uint64_t size, uint8_t *buf)
{
	struct kd_error *err = NULL;

	if (size == 0 || size > INT64_MAX || offset > INT64_MAX - size)
		return kd_error_create(KD_ERR_FORMAT,
				       "the flattened dump is damaged: it has a record of %lu bytes for offset 0x%lx",
				       size, offset);
	for (uint64_t piece; size > 0 && !err; size -= piece, offset += piece) {
		piece = size < PIECE ? size : PIECE;
		err = read_exactly(source, buf, piece);
		if (!err && kd_pwrite_all(out, buf, piece, (off_t)offset) < 0)
			err = kd_error_os(errno, "%s", out_path);
	}
	return err;
}

static struct kd_error *copy_records(struct source *source, int out, const char *out_path, uint8_t *buf)
{
	struct kd_error *err;

	for (;;) {
		struct flattened_record record;

		err = read_exactly(source, &record, sizeof(record));
		if (err || (record.offset == UINT64_MAX && record.size == UINT64_MAX))
			return err;
		err = copy_record(source, out, out_path, be64toh(record.offset), be64toh(record.size), buf);
		if (err)
			return err;
	}
}

/* The header of a dump whose stream was cut off may say nothing yet, or may be missing. */
static void mark_incomplete(const char *path)
{
	_cleanup_close_ int out = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	union {
		struct kdump_header kdump;
		Elf64_Ehdr elf;
	} head = { 0 };

	if (out < 0 || kd_pread_all(out, &head, sizeof(head), 0) < (ssize_t)sizeof(head.elf))
		return;
	if (memcmp(head.kdump.signature, KDUMP_SIGNATURE, sizeof(head.kdump.signature)) == 0) {
		head.kdump.status |= KDUMP_STATUS_INCOMPLETE;
		(void)!kd_pwrite_all(out, &head.kdump.status, sizeof(head.kdump.status),
				     offsetof(struct kdump_header, status));
	} else if (memcmp(head.elf.e_ident, ELFMAG, SELFMAG) == 0) {
		head.elf.e_flags |= ELF_STATUS_INCOMPLETE;
		(void)!kd_pwrite_all(out, &head.elf.e_flags, sizeof(head.elf.e_flags), offsetof(Elf64_Ehdr, e_flags));
	}
}

/* The records go to *out, which is opened as soon as the stream turns out to be one; an error to say that it was cut
 * off sets source->cut. */
static struct kd_error *rearrange(struct source *source, const char *out_path, bool replace, int *out)
{
	_cleanup_free_ uint8_t *buf = malloc(PIECE);
	struct kd_error *err;

	if (!buf)
		return kd_error_nomem();
	err = check_header(source, buf);
	if (!err)
		err = output_create_fd(out_path, replace, out);
	if (!err)
		err = copy_records(source, *out, out_path, buf);
	if (*out >= 0 && source->cut)
		mark_incomplete(out_path);
	return err;
}

struct kd_error *dumpfilter_rearrange_stream(const struct dumpfilter_stream *stream, const char *out_path, bool replace,
					     bool *whole_ret)
{
	struct source source = { .stream = stream };
	_cleanup_close_ int out = -1;
	struct kd_error *err = rearrange(&source, out_path, replace, &out);

	if (err && (!whole_ret || !source.cut || out < 0))
		return err;
	if (whole_ret)
		*whole_ret = !err;
	kd_error_destroy(err);
	return fsync(out) < 0 ? kd_error_os(errno, "%s", out_path) : NULL;
}

static struct kd_error *read_file(void *arg, void *buf, size_t size, size_t *done)
{
	ssize_t got = kd_read_all(*(const int *)arg, buf, size);

	if (got < 0)
		return kd_error_os(errno, "reading the flattened dump");
	*done = (size_t)got;
	return NULL;
}

struct kd_error *dumpfilter_rearrange(int in, const char *out_path, bool replace)
{
	const struct dumpfilter_stream stream = { .read = read_file, .arg = &in };

	return dumpfilter_rearrange_stream(&stream, out_path, replace, NULL);
}
