/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/transfer/flat.h"

#include <endian.h>
#include <string.h>

#include "base/bytes.h"
#include "dumpfilter/vmcore/flattened_format.h"

static struct kd_error *send_record(struct flat *flat, uint64_t offset, const void *data, size_t size)
{
	const struct flattened_record record = { htobe64(offset), htobe64(size) };
	struct kd_error *err = flat->send(flat->arg, &record, sizeof(record));

	if (flat->end < offset + size)
		flat->end = offset + size;
	return err ? err : flat->send(flat->arg, data, size);
}

static struct kd_error *begin(struct flat *flat)
{
	uint8_t block[FLATTENED_HEADER_SIZE] = { 0 };
	const struct flattened_header header = { .signature = FLATTENED_SIGNATURE,
						 .type = htobe64(FLATTENED_TYPE),
						 .version = htobe64(FLATTENED_VERSION) };

	if (flat->begun)
		return NULL;
	flat->begun = true;
	memcpy(block, &header, sizeof(header));
	return flat->send(flat->arg, block, sizeof(block));
}

struct kd_error *flat_write(struct flat *flat, uint64_t offset, const void *data, size_t size)
{
	struct kd_error *err = begin(flat);
	const uint8_t *from = data;

	if (offset < FLAT_HEAD) {
		size_t piece = size < FLAT_HEAD - offset ? size : (size_t)(FLAT_HEAD - offset);

		memcpy(flat->head + offset, from, piece);
		if (flat->head_used < offset + piece)
			flat->head_used = (size_t)offset + piece;
		from += piece;
		size -= piece;
		offset += piece;
	}
	return err || !size || kd_all_zero(from, size) ? err : send_record(flat, offset, from, size);
}

struct kd_error *flat_finish(struct flat *flat, uint64_t size)
{
	static const struct flattened_record end = { UINT64_MAX, UINT64_MAX };
	struct kd_error *err = begin(flat);

	/* The file is as long as its last record says. */
	if (!err && size > flat->end && size > FLAT_HEAD)
		err = send_record(flat, size - 1, "", 1);
	if (!err && flat->head_used)
		err = send_record(flat, 0, flat->head, flat->head_used);
	return err ? err : flat->send(flat->arg, &end, sizeof(end));
}
