/* SPDX-License-Identifier: GPL-2.0-or-later */
/* makedumpfile -F: a dump as a stream, for pipes. A header of 4096 bytes, then records: where in the dump the data
 * belongs, its size (both big-endian), and the data; an offset and a size of -1 end it. Whatever no record has is zero.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "dumpfilter/vmcore/flattened_format.h"
#include "dumpfilter/vmcore/vmcore_format.h"

struct record {
	uint64_t offset; /* in the dump */
	uint64_t size;
	uint64_t file_offset;
};

struct layer {
	struct record *record; /* sorted */
	size_t count, capacity;
};

static void layer_close(void *arg)
{
	struct layer *layer = arg;

	free(layer->record);
	free(layer);
}

static bool add(struct layer *layer, struct record record)
{
	if (layer->count == layer->capacity) {
		size_t capacity = layer->capacity * 2 + 64;
		struct record *grown = realloc(layer->record, capacity * sizeof(*grown));

		if (!grown)
			return false;
		layer->record = grown;
		layer->capacity = capacity;
	}
	layer->record[layer->count++] = record;
	return true;
}

/* All records up to the last one that is whole. *end_ret: the stream says where it ends. */
static struct kd_error *read_records(struct vmcore *vmcore, struct layer *layer, bool *end_ret)
{
	struct flattened_record header;
	uint64_t at = FLATTENED_HEADER_SIZE;

	for (; at + sizeof(header) <= vmcore->file_size; at += be64toh(header.size)) {
		struct kd_error *err = vmcore_read_file(vmcore, at, &header, sizeof(header), "record");
		uint64_t offset = be64toh(header.offset), size = be64toh(header.size);

		if (err)
			return err;
		if (offset == UINT64_MAX && size == UINT64_MAX) {
			*end_ret = true;
			return NULL;
		}
		if (size == 0 || size > INT64_MAX || offset > INT64_MAX - size)
			return kd_error_create(KD_ERR_FORMAT, "%s: record at offset 0x%lx: %lu bytes for 0x%lx",
					       vmcore->path, at, size, offset);
		at += sizeof(header);
		if (size > vmcore->file_size - at)
			return NULL;
		if (!add(layer, (struct record){ offset, size, at }))
			return kd_error_nomem();
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static ssize_t layer_read(const struct vmcore *vmcore, void *buf, size_t size, uint64_t offset)
{
	const struct layer *layer = vmcore->layer;
	size_t low = 0, high = layer->count, done = 0;

	if (offset >= vmcore->file_size)
		return 0;
	if (size > vmcore->file_size - offset)
		size = vmcore->file_size - offset;
	while (low < high) { /* the first record that ends above @offset */
		size_t middle = low + (high - low) / 2;

		if (layer->record[middle].offset + layer->record[middle].size > offset)
			high = middle;
		else
			low = middle + 1;
	}
	while (done < size) {
		const struct record *record = low < layer->count ? &layer->record[low] : NULL;
		uint64_t at = offset + done, piece = size - done;

		if (!record || record->offset > at) {
			if (record && record->offset - at < piece)
				piece = record->offset - at;
			memset((uint8_t *)buf + done, 0, piece);
		} else {
			uint64_t inside = at - record->offset;

			if (record->size - inside < piece)
				piece = record->size - inside;
			ssize_t got = kd_pread_all(vmcore->fd, (uint8_t *)buf + done, piece,
						   (off_t)(record->file_offset + inside));
			if (got < 0 || (uint64_t)got != piece)
				return got < 0 ? got : (ssize_t)(done + (size_t)got);
			low++;
		}
		done += piece;
	}
	return (ssize_t)done;
}

static struct kd_error *check_header(const struct vmcore *vmcore)
{
	struct flattened_header header;
	struct kd_error *err = vmcore_read_file(vmcore, 0, &header, sizeof(header), "flattened header");

	if (!err && (be64toh(header.type) != FLATTENED_TYPE || be64toh(header.version) != FLATTENED_VERSION))
		err = kd_error_create(KD_ERR_UNSUPPORTED, "%s: a flattened dump of type %lu, version %lu", vmcore->path,
				      be64toh(header.type), be64toh(header.version));
	return err;
}

static struct kd_error *open_flattened(struct vmcore *vmcore)
{
	struct layer *layer = calloc(1, sizeof(*layer));
	uint64_t end = 0;
	bool whole = false;
	char head[16] = "";
	struct kd_error *err;

	if (!layer)
		return kd_error_nomem();
	err = check_header(vmcore);
	if (!err)
		err = read_records(vmcore, layer, &whole);
	vmcore->layer = layer;
	vmcore->layer_close = layer_close;
	if (err)
		return err;
	if (layer->count == 0)
		return kd_error_create(KD_ERR_FORMAT, "%s: a flattened dump without a whole record", vmcore->path);
	qsort(layer->record, layer->count, sizeof(layer->record[0]), compare);
	for (size_t i = 0; i < layer->count; i++) {
		if (layer->record[i].offset < end)
			return kd_error_create(KD_ERR_FORMAT, "%s: two records have data for offset 0x%lx",
					       vmcore->path, layer->record[i].offset);
		end = layer->record[i].offset + layer->record[i].size;
	}
	vmcore->layer_read = layer_read;
	vmcore->file_size = end;
	vmcore_forbid_mmap(vmcore);
	vmcore->origin.flattened = true;
	vmcore->origin.incomplete = !whole;
	if (layer_read(vmcore, head, sizeof(head), 0) < 0)
		return kd_error_create(KD_ERR_FORMAT, "%s: its first record is not readable", vmcore->path);
	vmcore->format = vmcore_find_format(head);
	if (!vmcore->format || vmcore->format == &vmcore_flattened)
		return kd_error_create(KD_ERR_FORMAT, "%s: a flattened dump%s", vmcore->path,
				       whole ? " of what is no dump" : " that was cut off before its header came");
	return vmcore->format->open(vmcore);
}

const struct vmcore_format vmcore_flattened = {
	.name = "flattened",
	.magic = FLATTENED_SIGNATURE,
	.open = open_flattened,
};
