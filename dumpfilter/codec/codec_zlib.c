/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zlib's format (RFC 1950, RFC 1951), written for single pages: one block per page, with a Huffman code out of those
 * that are built in, or with a code of its own. */
#include <stdbool.h>
#include <stdlib.h>

#include "dumpfilter/codec/codec.h"
#include "dumpfilter/codec/deflate_tables.h"
#include "dumpfilter/codec/lz_page.h"

#define LENGTH_MIN   3u
#define LENGTH_MAX   258u
#define END_OF_BLOCK 256u
#define LENGTH_BASE  257u /* the first symbol that stands for a length */
#define SYMBOLS      (DEFLATE_LITLEN + DEFLATE_DIST)

/* Longest words of a code. Four literals and seven bits that wait fit in a word of 64 bits. */
#define LIMIT 12u

/* The code that the lengths of another code's words are written in. */
#define META_SYMBOLS 19u
#define META_LIMIT   7u

/* From the first bytes of a page the code for all of it is chosen. */
#define SAMPLE 512u

static const struct lz_effort usual = {
	.table_bits = 11,
	.hash_bytes = 5,
	.patience = 5,
	.inserts = 1,
	.length_max = LENGTH_MAX,
	.distance_max = DEFLATE_TABLE_DISTANCE,
};
static const struct lz_effort compact = {
	.table_bits = 12,
	.hash_bytes = 5,
	.patience = 5,
	.inserts = 1,
	.length_max = LENGTH_MAX,
	.distance_max = 32768,
};

static const struct lz_effort smallest = {
	.table_bits = 12,
	.hash_bytes = 3,
	.candidates = 8,
	.length_max = LENGTH_MAX,
	.distance_max = 32768,
};

/* Words of a code, their bits reversed as they are written, << 8 | how many; and the block's header. */
struct code {
	uint32_t word[SYMBOLS];
	unsigned int header_bits;
	uint8_t header[512];
};

/* One per built-in code. Aligned by order: without AVX the compiler would not, and with it counts on it. */
typedef uint16_t costs __attribute__((vector_size(2 * DEFLATE_TABLES), aligned(32)));

/* A symbol and how many extra bits follow it. They are the lowest ones of what the symbol stands for, since what the
 * RFC adds them to is a multiple of their range. */
struct symbol {
	uint8_t symbol, extra;
};

struct context {
	costs cost[SYMBOLS]; /* bits in each built-in code, without extra ones */
	costs header_cost;   /* the sample's share of the header */
	size_t (*encode)(struct context *context, const uint8_t *in, size_t size, uint8_t *out);
	bool small;
	uint16_t table[LZ_TABLE_MAX];
	struct symbol length[LENGTH_MAX - LENGTH_MIN + 1]; /* by length - 3 */
	struct symbol distance[512];      /* by distance - 1 if that is below 256, else by (distance - 1) / 128 + 256 */
	struct code code[DEFLATE_TABLES]; /* built in; the first is DEFLATE's own fixed one */
	struct code own;
	uint32_t count[SYMBOLS];
	uint16_t *previous; /* for each position of a page; behind the sequences */
	struct lz_sequence sequence[];
};

/* --- bits --------------------------------------------------------------------------------------------------------- */

struct bits {
	uint64_t word;
	unsigned int count; /* that wait in it; 7 at most after bits_flush() */
	uint8_t *out;
};

LZ_INLINE void bits_put(struct bits *bits, uint64_t value, unsigned int count)
{
	bits->word |= value << bits->count;
	bits->count += count;
}

LZ_INLINE void bits_put_word(struct bits *bits, uint32_t word)
{
	bits_put(bits, word >> 8, word & 0xff);
}

/* Writes 8 bytes, whatever there is. */
LZ_INLINE void bits_flush(struct bits *bits)
{
	uint64_t word = htole64(bits->word);

	memcpy(bits->out, &word, sizeof(word));
	bits->out += bits->count >> 3;
	bits->word >>= bits->count & ~7u;
	bits->count &= 7;
}

/* --- symbols (RFC 1951, 3.2.5) ------------------------------------------------------------------------------------ */

LZ_INLINE unsigned int log2_floor(uint32_t value)
{
	return 31 - (unsigned int)__builtin_clz(value);
}

/* Both scales are linear at first; then each power of two has 1 << @split symbols. */
static struct symbol symbol_of(uint32_t value, unsigned int split)
{
	unsigned int extra;

	if (value < 2u << split)
		return (struct symbol){ (uint8_t)value, 0 };
	extra = log2_floor(value) - split;
	return (struct symbol){ (uint8_t)((extra << split) + (value >> extra)), (uint8_t)extra };
}

static void make_symbols(struct context *context)
{
	for (uint32_t i = 0; i < LENGTH_MAX - LENGTH_MIN; i++)
		context->length[i] = symbol_of(i, 2);
	context->length[LENGTH_MAX - LENGTH_MIN] = (struct symbol){ 28, 0 };
	for (uint32_t i = 0; i < 256; i++) {
		context->distance[i] = symbol_of(i, 1);
		context->distance[256 + i] = symbol_of(i << 7, 1);
	}
}

LZ_INLINE struct symbol length_symbol(const struct context *context, unsigned int length)
{
	return context->length[length - LENGTH_MIN];
}

LZ_INLINE struct symbol distance_symbol(const struct context *context, unsigned int distance)
{
	unsigned int value = distance - 1;

	return context->distance[value < 256 ? value : 256 + (value >> 7)];
}

/* --- codes -------------------------------------------------------------------------------------------------------- */

/* 32 * log2(value), rounded down. */
LZ_INLINE unsigned int log2_fine(uint32_t value)
{
	/* 32 * log2(1 + i / 32) */
	static const uint8_t fraction[32] = {
		0,  1,  2,  4,  5,  6,  7,  9,  10, 11, 12, 13, 14, 15, 16, 17,
		18, 19, 20, 21, 22, 23, 24, 25, 25, 26, 27, 28, 29, 29, 30, 31,
	};
	unsigned int power = log2_floor(value);

	return power * 32 + fraction[(uint64_t)value << 5 >> power & 31];
}

/* Symbols that have a word. */
struct used {
	unsigned int count;
	uint16_t symbol[DEFLATE_LITLEN + 2];
};

/* The lengths of a complete code for symbols that occur @count times, two of them at least; none over @limit, and 0 for
 * symbols that do not occur.
 *
 * Huffman's code without its tree: a symbol of probability p wants -log2(p) bits. Rounded up, that is a code with room
 * to spare, which goes to the symbols that lost most by the rounding. About 0.1 % longer than the best code. */
LZ_INLINE void make_lengths(const uint32_t *count, unsigned int symbols, unsigned int limit, uint8_t *lengths,
			    struct used *used)
{
	uint8_t loss[DEFLATE_LITLEN];
	uint32_t total = 0, least, room = 1u << limit, gain[32] = { 0 };
	unsigned int n = 0, all, threshold = 32;

	memset(lengths, 0, symbols);
	for (unsigned int i = 0; i < symbols; i++) {
		used->symbol[n] = (uint16_t)i;
		n += count[i] != 0;
		total += count[i];
	}
	used->count = n;
	/* So that none is longer than the limit. */
	least = total >> (limit - 1);
	least += !least;
	for (unsigned int i = 0; i < n; i++)
		total += count[used->symbol[i]] < least ? least - count[used->symbol[i]] : 0;
	all = log2_fine(total) + 1;
	for (unsigned int i = 0; i < n; i++) {
		unsigned int symbol = used->symbol[i];
		unsigned int ideal = all - log2_fine(count[symbol] < least ? least : count[symbol]);
		unsigned int length = (ideal + 31) / 32;

		lengths[symbol] = (uint8_t)length;
		loss[i] = (uint8_t)(length * 32 - ideal);
		gain[loss[i]] += 1u << (limit - length);
		room -= 1u << (limit - length);
	}
	for (; threshold > 0 && gain[threshold - 1] <= room; threshold--)
		room -= gain[threshold - 1];
	for (unsigned int i = 0; i < n; i++)
		lengths[used->symbol[i]] = (uint8_t)(lengths[used->symbol[i]] - (loss[i] >= threshold));
	/* The longest word's share always fits, so each round takes some. */
	while (room > 0) {
		for (unsigned int i = 0; i < n; i++) {
			uint32_t share = 1u << (limit - lengths[used->symbol[i]]);

			if (share <= room) {
				room -= share;
				lengths[used->symbol[i]]--;
			}
		}
	}
}

/* Words by length, then by symbol (RFC 1951, 3.2.2). */
LZ_INLINE void make_words(const uint8_t *lengths, const struct used *used, uint32_t *words)
{
	/* The order of six bits turned round. */
	static const uint8_t turn[64] = {
		0,  32, 16, 48, 8,  40, 24, 56, 4,  36, 20, 52, 12, 44, 28, 60, 2,  34, 18, 50, 10, 42,
		26, 58, 6,  38, 22, 54, 14, 46, 30, 62, 1,  33, 17, 49, 9,  41, 25, 57, 5,  37, 21, 53,
		13, 45, 29, 61, 3,  35, 19, 51, 11, 43, 27, 59, 7,  39, 23, 55, 15, 47, 31, 63,
	};
	uint32_t next[LIMIT + 1] = { 0 }, number[LIMIT + 1] = { 0 };

	for (unsigned int i = 0; i < used->count; i++)
		number[lengths[used->symbol[i]]]++;
	for (unsigned int i = 2; i <= LIMIT; i++)
		next[i] = (next[i - 1] + number[i - 1]) << 1;
	for (unsigned int i = 0; i < used->count; i++) {
		unsigned int symbol = used->symbol[i], length = lengths[symbol];
		uint32_t word = next[length]++;

		words[symbol] = ((uint32_t)turn[word & 63] << 6 | turn[word >> 6]) >> (12 - length) << 8 | length;
	}
}

static void list_used(const uint8_t *lengths, unsigned int symbols, struct used *used)
{
	used->count = 0;
	for (unsigned int i = 0; i < symbols; i++)
		if (lengths[i])
			used->symbol[used->count++] = (uint16_t)i;
}

/* Lengths as a dynamic block's header gives them: runs, in a code of their own. */
struct run {
	uint8_t symbol, extra;
};

static unsigned int make_runs(const uint8_t *lengths, unsigned int symbols, struct run *runs, uint32_t *count)
{
	unsigned int n = 0;

	for (unsigned int i = 0, same; i < symbols; i += same) {
		uint8_t length = lengths[i];
		unsigned int left;

		for (same = 1; i + same < symbols && lengths[i + same] == length; same++)
			;
		left = same;
		if (length) {
			runs[n++] = (struct run){ length, 0 };
			count[length]++;
			left--;
		}
		while (left >= 3) {
			unsigned int most = length ? 6 : left > 10 ? 138 : 10, now = left < most ? left : most;
			uint8_t symbol = length ? 16 : now > 10 ? 18 : 17;

			runs[n++] = (struct run){ symbol, (uint8_t)(now - (symbol == 18 ? 11 : 3)) };
			count[symbol]++;
			left -= now;
		}
		for (; left; left--) {
			runs[n++] = (struct run){ length, 0 };
			count[length]++;
		}
	}
	return n;
}

static void make_header(const uint8_t *litlen, const uint8_t *dist, struct code *code)
{
	static const uint8_t order[META_SYMBOLS] = {
		16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
	};
	unsigned int litlen_count = DEFLATE_LITLEN, dist_count = DEFLATE_DIST, meta_count = META_SYMBOLS, n;
	struct bits bits = { .out = code->header };
	uint8_t all[SYMBOLS], lengths[META_SYMBOLS];
	uint32_t words[META_SYMBOLS], count[META_SYMBOLS] = { 0 };
	struct run runs[SYMBOLS];
	struct used used;

	while (litlen_count > LENGTH_BASE && !litlen[litlen_count - 1])
		litlen_count--;
	while (dist_count > 1 && !dist[dist_count - 1])
		dist_count--;
	memcpy(all, litlen, litlen_count);
	memcpy(all + litlen_count, dist, dist_count);
	n = make_runs(all, litlen_count + dist_count, runs, count);
	/* There are words of two lengths, or there are lengths that are 0. */
	make_lengths(count, META_SYMBOLS, META_LIMIT, lengths, &used);
	make_words(lengths, &used, words);
	while (meta_count > 4 && !lengths[order[meta_count - 1]])
		meta_count--;

	bits_put(&bits, 1, 1); /* the last block */
	bits_put(&bits, 2, 2); /* has a code of its own */
	bits_put(&bits, litlen_count - LENGTH_BASE, 5);
	bits_put(&bits, dist_count - 1, 5);
	bits_put(&bits, meta_count - 4, 4);
	for (unsigned int i = 0; i < meta_count; i++) {
		bits_flush(&bits);
		bits_put(&bits, lengths[order[i]], 3);
	}
	for (unsigned int i = 0; i < n; i++) {
		bits_flush(&bits);
		bits_put_word(&bits, words[runs[i].symbol]);
		bits_put(&bits, runs[i].extra,
			 runs[i].symbol < 16  ? 0 :
			 runs[i].symbol == 18 ? 7 :
						runs[i].symbol - 14u);
	}
	code->header_bits = (unsigned int)(bits.out - code->header) * 8 + bits.count;
	bits_flush(&bits);
}

/* A block's code that gives words to the symbols that have a length. */
static void make_code(const uint8_t *litlen, const uint8_t *dist, struct code *code)
{
	struct used used;

	list_used(litlen, DEFLATE_LITLEN, &used);
	make_words(litlen, &used, code->word);
	list_used(dist, DEFLATE_DIST, &used);
	make_words(dist, &used, code->word + DEFLATE_LITLEN);
	make_header(litlen, dist, code);
}

/* --- pages -------------------------------------------------------------------------------------------------------- */

#define ADLER_MODULUS 65521u
#define ADLER_BLOCK   512u  /* bytes whose sums of sums fit in 16 bits */
#define ADLER_CHUNK   4096u /* in 32 bits */

typedef uint16_t lanes16 __attribute__((vector_size(32), aligned(32)));
typedef uint32_t lanes32 __attribute__((vector_size(32), aligned(32)));

/* Add up the bytes of a block, in lanes: @sum of all, and @sums of what @sum was after each byte. */
LZ_INLINE void adler_block(const uint8_t *data, lanes32 *sum, lanes32 *sums)
{
	static const lanes32 first = { 32, 28, 24, 20, 16, 12, 8, 4 };
	lanes16 even = { 0 }, odd = { 0 }, evens = { 0 }, odds = { 0 };
	lanes32 part[4], now = { 0 };

	for (unsigned int i = 0; i < ADLER_BLOCK; i += sizeof(lanes16)) {
		lanes16 pairs;

		memcpy(&pairs, data + i, sizeof(pairs));
		evens += even;
		odds += odd;
		even += pairs & 255;
		odd += pairs >> 8;
	}
	*sums += *sum * ADLER_BLOCK;
	evens += odds; /* fit still: 2 * 120 * 255 */
	*sums += 32 * (((lanes32)evens & 65535) + ((lanes32)evens >> 16));
	part[0] = (lanes32)even & 65535;
	part[1] = (lanes32)odd & 65535;
	part[2] = (lanes32)even >> 16;
	part[3] = (lanes32)odd >> 16;
	for (unsigned int i = 0; i < 4; i++) {
		now += part[i];
		*sums += part[i] * (first - i);
	}
	*sum += now;
}

/* RFC 1950, 8.2. */
LZ_INLINE uint32_t adler32(const uint8_t *data, size_t size)
{
	uint32_t a = 1, b = 0;

	while (size) {
		size_t chunk = size < ADLER_CHUNK ? size : ADLER_CHUNK, done = 0;
		lanes32 sum = { 0 }, sums = { 0 };
		uint32_t old = a;

		for (; done + ADLER_BLOCK <= chunk; done += ADLER_BLOCK)
			adler_block(data + done, &sum, &sums);
		b += old * (uint32_t)done;
		for (unsigned int i = 0; i < 8; i++) {
			a += sum[i];
			b += sums[i];
		}
		for (; done < chunk; done++) {
			a += data[done];
			b += a;
		}
		a %= ADLER_MODULUS;
		b %= ADLER_MODULUS;
		data += chunk;
		size -= chunk;
	}
	return b << 16 | a;
}

LZ_INLINE void put_literals(struct bits *bits, const struct code *code, const uint8_t *from, size_t count)
{
	for (; count >= 4; count -= 4, from += 4) {
		for (unsigned int i = 0; i < 4; i++)
			bits_put_word(bits, code->word[from[i]]);
		bits_flush(bits);
	}
	for (; count; count--)
		bits_put_word(bits, code->word[*from++]);
	bits_flush(bits);
}

LZ_INLINE void put_sequence(struct bits *bits, const struct context *context, const struct code *code,
			    const struct lz_sequence *sequence, const uint8_t *from)
{
	struct symbol length = length_symbol(context, sequence->length);
	struct symbol distance = distance_symbol(context, sequence->distance);

	put_literals(bits, code, from, sequence->literals);
	bits_put_word(bits, code->word[LENGTH_BASE + length.symbol]);
	bits_put(bits, (sequence->length - LENGTH_MIN) & ((1u << length.extra) - 1), length.extra);
	bits_put_word(bits, code->word[DEFLATE_LITLEN + distance.symbol]);
	bits_put(bits, (sequence->distance - 1u) & ((1u << distance.extra) - 1), distance.extra);
	bits_flush(bits);
}

/* All sequences that are kept. Returns the end of what has been put. */
LZ_INLINE const uint8_t *put_sequences(struct bits *bits, const struct context *context, const struct code *code,
				       const struct lz_sequence *last, const uint8_t *from)
{
	for (const struct lz_sequence *sequence = context->sequence; sequence < last; sequence++) {
		put_sequence(bits, context, code, sequence, from);
		from += sequence->literals + sequence->length;
	}
	return from;
}

/* The stream's header is the format and a window of 32 KiB. */
LZ_INLINE void begin_stream(struct bits *bits, const struct code *code, uint8_t *out)
{
	size_t whole = code->header_bits / 8;

	*bits = (struct bits){ .out = out + 2 + whole, .count = code->header_bits % 8 };
	memcpy(out, (const uint8_t[]){ 0x78, 0x01 }, 2);
	memcpy(out + 2, code->header, whole);
	bits->word = code->header[whole] & ((1u << bits->count) - 1);
}

LZ_INLINE size_t finish_stream(struct bits *bits, const struct code *code, const uint8_t *in, size_t size, uint8_t *out)
{
	uint32_t check = htobe32(adler32(in, size));

	bits_put_word(bits, code->word[END_OF_BLOCK]);
	bits->count = (bits->count + 7) & ~7u;
	bits_flush(bits);
	memcpy(bits->out, &check, sizeof(check));
	return (size_t)(bits->out + sizeof(check) - out);
}

LZ_INLINE const struct code *choose_code(const struct context *context, const struct lz_page *page,
					 const struct lz_sequence *last)
{
	costs cost = context->header_cost;
	const uint8_t *from = page->data;
	unsigned int best = 0;

	for (const struct lz_sequence *sequence = context->sequence; sequence < last; sequence++) {
		for (unsigned int i = 0; i < sequence->literals; i++)
			cost += context->cost[from[i]];
		cost += context->cost[LENGTH_BASE + length_symbol(context, sequence->length).symbol];
		cost += context->cost[DEFLATE_LITLEN + distance_symbol(context, sequence->distance).symbol];
		from += sequence->literals + sequence->length;
	}
	for (; from < page->data + page->at; from++)
		cost += context->cost[*from];
	for (unsigned int i = 1; i < DEFLATE_TABLES; i++)
		best = cost[i] < cost[best] ? i : best;
	return &context->code[best];
}

LZ_INLINE size_t encode_built_in(struct context *context, const uint8_t *in, size_t size, uint8_t *out)
{
	struct lz_sequence *last = context->sequence, sequence;
	const struct code *code;
	struct lz_page page;
	struct bits bits;
	const uint8_t *from;

	lz_begin(&page, in, size, context->table, usual);
	while (lz_next(&page, usual, SAMPLE, last))
		last++;
	code = choose_code(context, &page, last);
	begin_stream(&bits, code, out);
	from = put_sequences(&bits, context, code, last, in);
	while (lz_next(&page, usual, size, &sequence)) {
		put_sequence(&bits, context, code, &sequence, from);
		from += sequence.literals + sequence.length;
	}
	put_literals(&bits, code, from, (size_t)(in + size - from));
	return finish_stream(&bits, code, in, size, out);
}

LZ_INLINE void count_symbols(struct context *context, const struct lz_sequence *last, const uint8_t *from,
			     const uint8_t *end)
{
	uint32_t *count = context->count;
	unsigned int distances = 0;

	memset(count, 0, sizeof(context->count));
	for (const struct lz_sequence *sequence = context->sequence; sequence < last; sequence++) {
		for (unsigned int i = 0; i < sequence->literals; i++)
			count[from[i]]++;
		count[LENGTH_BASE + length_symbol(context, sequence->length).symbol]++;
		count[DEFLATE_LITLEN + distance_symbol(context, sequence->distance).symbol]++;
		from += sequence->literals + sequence->length;
	}
	for (; from < end; from++)
		count[*from]++;
	count[END_OF_BLOCK] = 1;
	/* Decoders differ about codes of one word. */
	count += DEFLATE_LITLEN;
	for (unsigned int i = 0; i < DEFLATE_DIST; i++)
		distances += count[i] != 0;
	if (distances < 2) {
		count[0] += !count[0];
		count[1] += !count[1];
	}
}

/* The cost of a page in its own code and in the fixed one, bits, without extra ones. */
LZ_INLINE const struct code *make_own_code(struct context *context)
{
	const struct code *fixed = &context->code[0];
	uint8_t litlen[DEFLATE_LITLEN], dist[DEFLATE_DIST];
	struct code *own = &context->own;
	uint64_t cost, fixed_cost;
	struct used used;

	make_lengths(context->count, DEFLATE_LITLEN, LIMIT, litlen, &used);
	make_words(litlen, &used, own->word);
	cost = fixed_cost = 0;
	for (unsigned int i = 0; i < used.count; i++) {
		unsigned int symbol = used.symbol[i];

		cost += (uint64_t)context->count[symbol] * litlen[symbol];
		fixed_cost += (uint64_t)context->count[symbol] * (fixed->word[symbol] & 0xff);
	}
	make_lengths(context->count + DEFLATE_LITLEN, DEFLATE_DIST, LIMIT, dist, &used);
	make_words(dist, &used, own->word + DEFLATE_LITLEN);
	for (unsigned int i = 0; i < used.count; i++) {
		unsigned int symbol = used.symbol[i], count = context->count[DEFLATE_LITLEN + symbol];

		cost += (uint64_t)count * dist[symbol];
		fixed_cost += (uint64_t)count * 5;
	}
	make_header(litlen, dist, own);
	return fixed_cost + fixed->header_bits < cost + own->header_bits ? fixed : own;
}

LZ_INLINE size_t encode_own(struct context *context, const uint8_t *in, size_t size, uint8_t *out)
{
	struct lz_sequence *last = context->sequence;
	const struct code *code;
	struct lz_page page;
	struct bits bits;
	const uint8_t *from;

	if (context->small) {
		lz_begin(&page, in, size, context->table, smallest);
		while (lz_next_best(&page, smallest, size, context->previous, last))
			last++;
	} else {
		lz_begin(&page, in, size, context->table, compact);
		while (lz_next(&page, compact, size, last))
			last++;
	}
	count_symbols(context, last, in, in + size);
	code = make_own_code(context);
	begin_stream(&bits, code, out);
	from = put_sequences(&bits, context, code, last, in);
	put_literals(&bits, code, from, (size_t)(in + size - from));
	return finish_stream(&bits, code, in, size, out);
}

/* --- codecs ------------------------------------------------------------------------------------------------------- */

/* DEFLATE's fixed code (RFC 1951, 3.2.6), of which two symbols are never used. Its header is the type of the block. */
static void make_fixed_code(struct code *code)
{
	uint8_t lengths[DEFLATE_LITLEN + 2];
	uint32_t words[DEFLATE_LITLEN + 2];
	struct used used;

	memset(lengths, 8, 144);
	memset(lengths + 144, 9, 256 - 144);
	memset(lengths + 256, 7, 280 - 256);
	memset(lengths + 280, 8, sizeof(lengths) - 280);
	list_used(lengths, DEFLATE_LITLEN + 2, &used);
	make_words(lengths, &used, words);
	memcpy(code->word, words, sizeof(words) - 2 * sizeof(words[0]));
	memset(lengths, 5, DEFLATE_DIST);
	list_used(lengths, DEFLATE_DIST, &used);
	make_words(lengths, &used, code->word + DEFLATE_LITLEN);
	code->header[0] = 1 | 1 << 1; /* the last block, has the fixed code */
	code->header_bits = 3;
}

static void make_built_in_codes(struct context *context, size_t page_size)
{
	make_fixed_code(&context->code[0]);
	for (unsigned int i = 1; i < DEFLATE_TABLES; i++) {
		uint8_t lengths[SYMBOLS];

		for (unsigned int j = 0; j < SYMBOLS; j++)
			lengths[j] = (uint8_t)(deflate_tables[i - 1][j] - 'a');
		make_code(lengths, lengths + DEFLATE_LITLEN, &context->code[i]);
	}
	for (unsigned int i = 0; i < DEFLATE_TABLES; i++) {
		for (unsigned int j = 0; j < SYMBOLS; j++)
			context->cost[j][i] = context->code[i].word[j] & 0xff;
		context->header_cost[i] = (uint16_t)(context->code[i].header_bits * SAMPLE / page_size);
	}
}

/* GCC and clang make a version of an encoder for the CPUs of the last ten years: 20 % faster. */
#ifdef __x86_64__
#define FOR_NEW_CPUS __attribute__((target("avx2,bmi,bmi2")))
#define HAVE_NEW_CPU (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
#else
#define FOR_NEW_CPUS
#define HAVE_NEW_CPU false
#endif

#define ENCODER(encode)                                                                                                \
	static size_t encode##_any(struct context *context, const uint8_t *in, size_t size, uint8_t *out)              \
	{                                                                                                              \
		return encode(context, in, size, out);                                                                 \
	}                                                                                                              \
	FOR_NEW_CPUS static size_t encode##_new(struct context *context, const uint8_t *in, size_t size, uint8_t *out) \
	{                                                                                                              \
		return encode(context, in, size, out);                                                                 \
	}

ENCODER(encode_built_in)
ENCODER(encode_own)

static struct context *create(size_t page_size)
{
	size_t sequences = LZ_SEQUENCES_MAX(page_size), size;
	struct context *context;

	if (page_size < LZ_SIZE_MIN || page_size > LZ_SIZE_MAX)
		return NULL;
	size = sizeof(*context) + sequences * sizeof(context->sequence[0]) + page_size * sizeof(*context->previous);
	context = aligned_alloc(_Alignof(struct context), (size + 63) / 64 * 64);
	if (!context)
		return NULL;
	memset(context, 0, sizeof(*context));
	context->previous = (uint16_t *)(context->sequence + sequences);
	make_symbols(context);
	make_built_in_codes(context, page_size);
	return context;
}

static void *create_default(size_t page_size)
{
	struct context *context = create(page_size);

	if (context)
		context->encode = HAVE_NEW_CPU ? encode_built_in_new : encode_built_in_any;
	return context;
}

static void *create_zlib(size_t page_size)
{
	struct context *context = create(page_size);

	if (context)
		context->encode = HAVE_NEW_CPU ? encode_own_new : encode_own_any;
	return context;
}

static void *create_small(size_t page_size)
{
	struct context *context = create_zlib(page_size);

	if (context)
		context->small = true;
	return context;
}

static size_t bound(size_t size)
{
	/* A literal has LIMIT bits at most; a copy of four bytes, 2 * LIMIT + 13. */
	return size + size / 2 + sizeof(((struct code *)NULL)->header) + 64;
}

static size_t compress_page(void *arg, const void *in, size_t in_size, void *out)
{
	struct context *context = arg;

	return in_size < LZ_SIZE_MIN || in_size > LZ_SIZE_MAX ? 0 : context->encode(context, in, in_size, out);
}

const struct codec codec_default = {
	.name = "zlib",
	.flag = CODEC_FLAG_ZLIB,
	.create = create_default,
	.destroy = free,
	.bound = bound,
	.compress = compress_page,
};

const struct codec codec_zlib = {
	.name = "zlib",
	.option = 'c',
	.flag = CODEC_FLAG_ZLIB,
	.create = create_zlib,
	.destroy = free,
	.bound = bound,
	.compress = compress_page,
};

const struct codec codec_small = {
	.name = "zlib",
	.long_option = "small",
	.flag = CODEC_FLAG_ZLIB,
	.create = create_small,
	.destroy = free,
	.bound = bound,
	.compress = compress_page,
};
