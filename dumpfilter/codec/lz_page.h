/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Repetitions within one page: the half of an encoder that the formats zlib and LZO share.
 *
 *  A page becomes a list of sequences: so many literals, then a copy of so many bytes from so far back; what
 *  follows the last copy is literals. Positions are found again through a table of hashes that holds the last
 *  position of each, cleared for every page: what comes out depends on the page alone. Reads stay within the page.
 *  The page is read more than once; if it changes meanwhile the sequences are still within the page, but do not
 *  describe it.
 */
#ifndef DUMPFILTER_CODEC_LZ_PAGE_H
#define DUMPFILTER_CODEC_LZ_PAGE_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LZ_INLINE static inline __attribute__((always_inline))

/* No copy starts within so many bytes of the end: there, 16 bytes can be loaded from wherever a run of literals or a
 * copy starts. */
#define LZ_TAIL      16u
#define LZ_SIZE_MIN  64u
#define LZ_SIZE_MAX  65536u
#define LZ_TABLE_MAX 4096u

/* The cost of a literal, when copies are compared. */
#define LZ_LITERAL_BITS 6
/* Every copy but the last is of at least 3 bytes. */
#define LZ_SEQUENCES_MAX(size) ((size) / 3 + 2)

/** How hard to look. Constants in every call, so that the compiler makes one function of each choice. */
struct lz_effort {
	unsigned int table_bits; /* of hash: 12 at most, which is LZ_TABLE_MAX */
	unsigned int hash_bytes; /* 3 to 6: these must be the same; the shortest copy */
	unsigned int patience;   /* after every 2^patience misses the steps grow by one byte */
	unsigned int inserts;    /* last positions of a copy that are remembered, 0 to 2 */
	unsigned int candidates; /* lz_next_best(): how many earlier positions are compared */
	uint32_t length_max;     /* of a copy, and */
	uint32_t distance_max;   /* how far back */
};

/** No more than 65535 each: a page of 64 KiB has a literal before its first copy. */
struct lz_sequence {
	uint16_t literals;
	uint16_t length; /* of the copy */
	uint16_t distance;
};

struct lz_page {
	const uint8_t *data;
	size_t size;     /* LZ_SIZE_MIN to LZ_SIZE_MAX */
	size_t at;       /* all before it has been looked at */
	size_t literals; /* where the literals that are in no sequence yet start */
	uint16_t *table; /* 1 << table_bits */
};

/** First byte lowest. */
LZ_INLINE uint64_t lz_load64(const uint8_t *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return le64toh(value);
}

LZ_INLINE unsigned int lz_hash(uint64_t word, const struct lz_effort effort)
{
	/* 2^64 divided by the golden ratio, made odd. */
	return (unsigned int)((word << (64 - 8 * effort.hash_bytes)) * UINT64_C(0x9e3779b97f4a7c15) >>
			      (64 - effort.table_bits));
}

/** How many bytes are the same at @a and @b (@a < @b), up to @end. */
LZ_INLINE size_t lz_same(const uint8_t *data, size_t a, size_t b, size_t end)
{
	size_t start = b;

	for (; b + 8 <= end; a += 8, b += 8) {
		uint64_t differ = lz_load64(data + a) ^ lz_load64(data + b);

		if (differ)
			return b - start + (size_t)__builtin_ctzll(differ) / 8;
	}
	while (b < end && data[a] == data[b])
		a++, b++;
	return b - start;
}

LZ_INLINE void lz_begin(struct lz_page *page, const uint8_t *data, size_t size, uint16_t *table,
			const struct lz_effort effort)
{
	memset(table, 0, sizeof(*table) << effort.table_bits);
	/* Every hash is taken to have been seen at the start, which is verified as any other position. */
	*page = (struct lz_page){ .data = data, .size = size, .table = table, .at = 1 };
}

/** Look on up to @stop for a copy; it may reach beyond. @ret: what lies between the copy before it and its end.
 *  false: there is none. */
LZ_INLINE bool lz_next(struct lz_page *page, const struct lz_effort effort, size_t stop, struct lz_sequence *ret)
{
	const uint8_t *data = page->data;
	uint16_t *table = page->table;
	size_t at = page->at, misses = (size_t)1 << effort.patience, from, length;
	uint64_t word, differ, more;
	unsigned int hash;

	if (stop > page->size - LZ_TAIL)
		stop = page->size - LZ_TAIL;
	for (; at < stop; at += misses++ >> effort.patience) {
		word = lz_load64(data + at);
		hash = lz_hash(word, effort);
		from = table[hash];
		table[hash] = (uint16_t)at;
		differ = word ^ lz_load64(data + from);
		if (!(differ << (64 - 8 * effort.hash_bytes)) &&
		    (effort.distance_max >= LZ_SIZE_MAX || at - from <= effort.distance_max))
			break;
	}
	if (at >= stop) {
		page->at = at;
		return false;
	}
	/* Up to 16 bytes without a branch: which it will be is hard to foretell. */
	more = lz_load64(data + at + 8) ^ lz_load64(data + from + 8);
	length = (size_t)__builtin_ctzll(differ ? differ : more | UINT64_C(1) << 63) / 8 + (differ ? 0 : 8);
	if (!(differ | more))
		length = 16 + lz_same(data, from + 16, at + 16,
				      page->size - at < effort.length_max ? page->size : at + effort.length_max);
	*ret = (struct lz_sequence){ (uint16_t)(at - page->literals), (uint16_t)length, (uint16_t)(at - from) };
	at += length;
	if (effort.inserts && at < stop) {
		if (effort.inserts > 1)
			table[lz_hash(lz_load64(data + at - 2), effort)] = (uint16_t)(at - 2);
		table[lz_hash(lz_load64(data + at - 1), effort)] = (uint16_t)(at - 1);
	}
	page->at = page->literals = at;
	return true;
}

/* --- the same, looking harder: every position is remembered, and all with one hash are chained -------------------- */

struct lz_found {
	size_t length, from; /* length 0: nothing */
	int gain;            /* bits saved, about */
};

/** @previous: for each position of the page, the one before it with the same hash; 0: none. */
LZ_INLINE void lz_remember(struct lz_page *page, const struct lz_effort effort, size_t at, uint16_t *previous)
{
	unsigned int hash = lz_hash(lz_load64(page->data + at), effort);

	previous[at] = page->table[hash];
	page->table[hash] = (uint16_t)at;
}

LZ_INLINE struct lz_found lz_search(const struct lz_page *page, const struct lz_effort effort, size_t at,
				    const uint16_t *previous)
{
	const uint8_t *data = page->data;
	size_t end = page->size - at < effort.length_max ? page->size : at + effort.length_max;
	uint64_t word = lz_load64(data + at);
	size_t from = page->table[lz_hash(word, effort)];
	struct lz_found best = { 0 };

	for (unsigned int i = 0; i < effort.candidates && from > 0 && at - from <= effort.distance_max;
	     i++, from = previous[from]) {
		uint64_t differ = word ^ lz_load64(data + from);
		size_t length;
		int gain;

		if (differ << (64 - 8 * effort.hash_bytes))
			continue;
		length = differ ? (size_t)__builtin_ctzll(differ) / 8 : 8 + lz_same(data, from + 8, at + 8, end);
		gain = (int)length * LZ_LITERAL_BITS - (32 - __builtin_clz((unsigned int)(at - from)));
		if (best.length == 0 || gain > best.gain)
			best = (struct lz_found){ length, from, gain };
		if (at + length == end)
			break;
	}
	return best;
}

/** As lz_next(); a copy is put off by a byte as long as a better one starts there. */
LZ_INLINE bool lz_next_best(struct lz_page *page, const struct lz_effort effort, size_t stop, uint16_t *previous,
			    struct lz_sequence *ret)
{
	size_t at = page->at, end;
	struct lz_found best, next;

	if (stop > page->size - LZ_TAIL)
		stop = page->size - LZ_TAIL;
	for (;; at++) {
		if (at >= stop) {
			page->at = at;
			return false;
		}
		best = lz_search(page, effort, at, previous);
		lz_remember(page, effort, at, previous);
		if (best.length)
			break;
	}
	while (at + 1 < stop) {
		next = lz_search(page, effort, at + 1, previous);
		if (next.length == 0 || next.gain <= best.gain)
			break;
		best = next;
		lz_remember(page, effort, ++at, previous);
	}
	*ret = (struct lz_sequence){ (uint16_t)(at - page->literals), (uint16_t)best.length,
				     (uint16_t)(at - best.from) };
	end = at + best.length;
	while (++at < end)
		if (at < stop)
			lz_remember(page, effort, at, previous);
	page->at = page->literals = end;
	return true;
}

#endif
