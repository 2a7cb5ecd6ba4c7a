/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LZO1X, written for single pages.
 *
 * The format, as every decoder of LZO1X reads it. The stream starts with a byte 17 + n: n literals follow (n <= 238).
 * Then, until the end mark, instructions; L, D and S are bits of a length, a distance less one, and the number of
 * literals (0 to 3) that follow the copy:
 *      0000LLLL                    L + 3 literals, if no literals came before; L = 0: see below, from 18
 *      LLLDDDSS  DDDDDDDD          copy L + 1 bytes (3 to 8); the first byte has the low bits of D
 *      001LLLLL  DDDDDDSS DDDDDDDD copy L + 2 bytes;  L = 0: see below, from 33
 *      0001DLLL  DDDDDDSS DDDDDDDD copy L + 2 bytes from D + 16384; L = 0: see below, from 9. D = 0 is the end mark
 * L = 0: bytes 0, each for 255, and one that is not 0 follow, which are added up.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "dumpfilter/codec/codec.h"
#include "dumpfilter/codec/lz_page.h"

#define NEAR_MAX     2048u
#define MIDDLE_MAX   16384u
#define DISTANCE_MAX 49151u
#define FIRST_MAX    238u

static const struct lz_effort usual = {
	.table_bits = 12,
	.hash_bytes = 5,
	.patience = 4,
	.inserts = 1,
	.length_max = UINT16_MAX,
	.distance_max = DISTANCE_MAX,
};
static const struct lz_effort fast = {
	.table_bits = 11,
	.hash_bytes = 6,
	.patience = 3,
	.inserts = 1,
	.length_max = UINT16_MAX,
	.distance_max = DISTANCE_MAX,
};

struct context {
	uint16_t table[LZ_TABLE_MAX];
	struct lz_sequence sequence[];
};

static void *create(size_t page_size)
{
	struct context *context;

	return page_size > LZ_SIZE_MAX ?
		       NULL :
		       malloc(sizeof(*context) + LZ_SEQUENCES_MAX(page_size) * sizeof(context->sequence[0]));
}

static size_t bound(size_t size)
{
	return size + size / 16 + 64 + 3;
}

/* @rest is the part of a length that its instruction's field cannot hold, at least 1. */
static uint8_t *put_rest(uint8_t *out, size_t rest)
{
	for (; rest > 255; rest -= 255)
		*out++ = 0;
	*out++ = (uint8_t)rest;
	return out;
}

/* How many literals follow here: more than 3, or it is the start. */
static uint8_t *put_count(uint8_t *out, bool start, size_t count)
{
	if (start && count <= FIRST_MAX) {
		*out++ = (uint8_t)(17 + count);
	} else if (count <= 18) {
		*out++ = (uint8_t)(count - 3);
	} else {
		*out++ = 0;
		out = put_rest(out, count - 18);
	}
	return out;
}

static uint8_t *put_distance(uint8_t *out, size_t distance)
{
	*out++ = (uint8_t)(distance << 2);
	*out++ = (uint8_t)(distance >> 6);
	return out;
}

static uint8_t *put_long_or_far_copy(uint8_t *out, size_t length, size_t distance)
{
	bool far = distance > MIDDLE_MAX;
	size_t most = far ? 9 : 33, rest = distance - (far ? MIDDLE_MAX : 1);
	unsigned int instruction = far ? 16u | (unsigned int)((rest & 0x4000) >> 11) : 32u;

	if (length <= most) {
		*out++ = (uint8_t)(instruction | (length - 2));
	} else {
		*out++ = (uint8_t)instruction;
		out = put_rest(out, length - most);
	}
	return put_distance(out, rest & 0x3fff);
}

LZ_INLINE size_t compress_page(struct context *context, const uint8_t *in, size_t size, uint8_t *out,
			       const struct lz_effort effort)
{
	const uint8_t *literals = in, *end = in + size;
	struct lz_sequence sequence;
	struct lz_page page;
	uint8_t *start = out;

	if (size < LZ_SIZE_MIN || size > LZ_SIZE_MAX)
		return 0;
	lz_begin(&page, in, size, context->table, effort);
	while (lz_next(&page, effort, size, &sequence)) {
		size_t count = sequence.literals, length = sequence.length, distance = sequence.distance;

		if (count > 18 || out == start) {
			out = put_count(out, out == start, count);
		} else {
			bool many = count > 3;

			out[-2] |= many ? 0 : (uint8_t)count;
			*out = (uint8_t)(count - 3);
			out += many;
		}
		memcpy(out, literals, 16);
		if (count > 16)
			memcpy(out + 16, literals + 16, count - 16);
		out += count;
		literals += count + length;
		if (length > 33 || distance > MIDDLE_MAX) {
			out = put_long_or_far_copy(out, length, distance);
		} else {
			/* Without a branch: which of the two it will be is hard to foretell. */
			bool near = length <= 8 && distance <= NEAR_MAX;
			uint32_t d = (uint32_t)distance - 1;
			uint32_t two = ((uint32_t)length - 1) << 5 | (d & 7) << 2 | (d >> 3) << 8;
			uint32_t three = 32 | ((uint32_t)length - 2) | d << 10;
			uint32_t code = htole32(near ? two : three);

			memcpy(out, &code, 4);
			out += 3 - near;
		}
	}
	if (end - literals > 3 || out == start)
		out = put_count(out, out == start, (size_t)(end - literals));
	else
		out[-2] |= (uint8_t)(end - literals);
	memcpy(out, literals, (size_t)(end - literals));
	out += end - literals;
	memcpy(out, (const uint8_t[]){ 17, 0, 0 }, 3);
	return (size_t)(out + 3 - start);
}

static size_t compress_usual(void *context, const void *in, size_t in_size, void *out)
{
	return compress_page(context, in, in_size, out, usual);
}

static size_t compress_fast(void *context, const void *in, size_t in_size, void *out)
{
	return compress_page(context, in, in_size, out, fast);
}

const struct codec codec_lzo = {
	.name = "lzo",
	.option = 'l',
	.flag = CODEC_FLAG_LZO,
	.create = create,
	.destroy = free,
	.bound = bound,
	.compress = compress_usual,
};

const struct codec codec_fast = {
	.name = "lzo",
	.long_option = "fast",
	.flag = CODEC_FLAG_LZO,
	.create = create,
	.destroy = free,
	.bound = bound,
	.compress = compress_fast,
};
