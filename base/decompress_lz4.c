/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The legacy frame of lz4, which kernels are compressed in: a magic number, then blocks with their size in front, each
 * of which expands to 8 MiB, the last one to less (lz4's doc/lz4_Frame_format.md, doc/lz4_Block_format.md). */
#include "base/decompress.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC_SIZE 4
#define BLOCK_MAX  ((size_t)8 << 20)
#define MATCH_MIN  4

struct input {
	const uint8_t *at, *end;
};

/* A block's room in the output. */
struct output {
	uint8_t *start, *at, *end;
};

static bool take_byte(struct input *in, uint8_t *ret)
{
	if (in->at == in->end)
		return false;
	*ret = *in->at++;
	return true;
}

/* A length of 15 goes on in bytes, to be added up, until one is not 255. */
static bool take_length(struct input *in, size_t *length)
{
	uint8_t byte = 255;

	if (*length != 15)
		return true;
	while (byte == 255) {
		if (!take_byte(in, &byte) || *length > BLOCK_MAX)
			return false;
		*length += byte;
	}
	return true;
}

static bool copy_literals(struct input *in, size_t length, struct output *out)
{
	if ((size_t)(in->end - in->at) < length || (size_t)(out->end - out->at) < length)
		return false;
	memcpy(out->at, in->at, length);
	in->at += length;
	out->at += length;
	return true;
}

/* The copy may begin in what it writes itself. */
static bool copy_match(struct output *out, size_t distance, size_t length)
{
	if (!distance || distance > (size_t)(out->at - out->start) || (size_t)(out->end - out->at) < length)
		return false;
	for (; length; length--, out->at++)
		*out->at = out->at[-(ptrdiff_t)distance];
	return true;
}

/* Literals and a match in turns; the last literals have no match behind them. */
static bool expand_block(struct input in, struct output *out)
{
	uint8_t token, low, high;
	size_t length;

	while (take_byte(&in, &token)) {
		length = token >> 4;
		if (!take_length(&in, &length) || !copy_literals(&in, length, out))
			return false;
		if (in.at == in.end)
			return true;
		length = token & 15;
		if (!take_byte(&in, &low) || !take_byte(&in, &high) || !take_length(&in, &length) ||
		    !copy_match(out, low | high << 8, length + MATCH_MIN))
			return false;
	}
	return false;
}

static struct kd_error *grow(uint8_t **out, size_t size)
{
	uint8_t *grown = realloc(*out, size);

	if (!grown)
		return kd_error_nomem();
	*out = grown;
	return NULL;
}

struct kd_error *kd_decompress_lz4(const void *data, size_t size, size_t max, const char *what, void **ret,
				   size_t *size_ret)
{
	const uint8_t *at = (const uint8_t *)data + MAGIC_SIZE, *end = (const uint8_t *)data + size;
	_cleanup_free_ uint8_t *out = NULL;
	struct kd_error *err;
	size_t done = 0;

	if (size < MAGIC_SIZE)
		return kd_error_create(KD_ERR_FORMAT, "%s: lz4 data ends too early", what);
	while (at < end) {
		struct output block;
		uint32_t packed;

		if (end - at < 4)
			return kd_error_create(KD_ERR_FORMAT, "%s: lz4 data ends too early", what);
		memcpy(&packed, at, 4);
		packed = le32toh(packed);
		at += 4;
		if (packed > (size_t)(end - at))
			return kd_error_create(KD_ERR_FORMAT, "%s: lz4 data ends too early", what);
		err = grow(&out, done + BLOCK_MAX + 1);
		if (err)
			return err;
		block = (struct output){ out + done, out + done, out + done + BLOCK_MAX };
		if (!expand_block((struct input){ at, at + packed }, &block))
			return kd_error_create(KD_ERR_FORMAT, "%s: corrupt lz4 data", what);
		at += packed;
		done += (size_t)(block.at - block.start);
		if (done > max)
			return kd_error_create(KD_ERR_LIMIT, "%s: expands to more than %zu bytes", what, max);
	}
	err = grow(&out, done + 1);
	if (err)
		return err;
	out[done] = '\0';
	*ret = take_ptr(out);
	*size_ret = done;
	return NULL;
}
