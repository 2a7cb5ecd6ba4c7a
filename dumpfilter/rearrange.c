/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -R: a flattened dump, out of a pipe, becomes the file that it stands for. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/vmcore/flattened_format.h"
#include "dumpfilter/write/output.h"

#define PIECE ((size_t)1 << 20)

static struct kd_error *read_exactly(int in, void *buf, size_t size)
{
	ssize_t done = kd_read_all(in, buf, size);

	if (done < 0)
		return kd_error_os(errno, "reading the flattened dump");
	if ((size_t)done != size)
		return kd_error_create(KD_ERR_FORMAT, "the flattened dump was cut off: it has no end record");
	return NULL;
}

static struct kd_error *check_header(int in, uint8_t *buf)
{
	struct flattened_header header;
	struct kd_error *err = read_exactly(in, buf, FLATTENED_HEADER_SIZE);

	if (err)
		return err;
	memcpy(&header, buf, sizeof(header));
	if (memcmp(header.signature, FLATTENED_SIGNATURE, sizeof(FLATTENED_SIGNATURE)) != 0 ||
	    be64toh(header.type) != FLATTENED_TYPE || be64toh(header.version) != FLATTENED_VERSION)
		return kd_error_create(KD_ERR_FORMAT, "the input is not a flattened dump (of type 1, version 1)");
	return NULL;
}

static struct kd_error *copy_record(int in, int out, const char *out_path, uint64_t offset, uint64_t size, uint8_t *buf)
{
	struct kd_error *err = NULL;

	if (size == 0 || size > INT64_MAX || offset > INT64_MAX - size)
		return kd_error_create(KD_ERR_FORMAT,
				       "the flattened dump is damaged: it has a record of %lu bytes for offset 0x%lx",
				       size, offset);
	for (uint64_t piece; size > 0 && !err; size -= piece, offset += piece) {
		piece = size < PIECE ? size : PIECE;
		err = read_exactly(in, buf, piece);
		if (!err && kd_pwrite_all(out, buf, piece, (off_t)offset) < 0)
			err = kd_error_os(errno, "%s", out_path);
	}
	return err;
}

struct kd_error *dumpfilter_rearrange(int in, const char *out_path, bool replace)
{
	_cleanup_free_ uint8_t *buf = malloc(PIECE);
	struct flattened_record record;
	_cleanup_close_ int out = -1;
	struct kd_error *err;

	if (!buf)
		return kd_error_nomem();
	err = check_header(in, buf);
	if (err)
		return err;
	err = output_create_fd(out_path, replace, &out);
	if (err)
		return err;
	for (;;) {
		err = read_exactly(in, &record, sizeof(record));
		if (err)
			return err;
		if (record.offset == UINT64_MAX && record.size == UINT64_MAX)
			break;
		err = copy_record(in, out, out_path, be64toh(record.offset), be64toh(record.size), buf);
		if (err)
			return err;
	}
	return fsync(out) < 0 ? kd_error_os(errno, "%s", out_path) : NULL;
}
