/* SPDX-License-Identifier: GPL-2.0-or-later */
/* train-tables [-n PAGES] DESCRIPTION FILE... > dumpfilter/codec/deflate_tables.c: Huffman codes for pages like these.
 *
 * FILE is an uncompressed dump, or any file; of each, PAGES pages (2000) are looked at, evenly spread. The pages are
 * sorted into as many clusters as there are codes, each page to the code in which it is shortest, and each code is made
 * from its cluster's pages, again and again (Lloyd's algorithm). What a code costs in the block's header counts with
 * every page, so words' lengths are chosen to run on: by dynamic programming over the symbols in their order, with a
 * price on the share of the code space that a word takes. */
#include <math.h>
#include <stdio.h>

#include "dumpfilter/codec/codec_zlib.c"
#include "tests/bench/pages.h"

#define ROUNDS   40u
#define SEED     20u /* pages, taken at random, that a code is first made from */
#define BUILT_IN (DEFLATE_TABLES - 1)

/* Bits in the header for one more symbol: with the length of the one before it, or another. About. */
#define RUN_COST    0.8
#define CHANGE_COST 3.6

struct sample {
	uint16_t count[SYMBOLS];
};

struct table {
	uint8_t length[SYMBOLS];
	unsigned int header_bits;
	double count[SYMBOLS], pages;
};

/* Lengths of least cost when a word of length l costs @price / 2^l beside its own bits. */
static void cheapest_lengths(const double *count, unsigned int symbols, double pages, double price, uint8_t *lengths)
{
	double cost[LIMIT + 1] = { 0 };
	uint8_t before[DEFLATE_LITLEN][LIMIT + 1];
	unsigned int best = 1;

	for (unsigned int i = 0; i < symbols; i++) {
		double next[LIMIT + 1];

		for (unsigned int length = 1; length <= LIMIT; length++) {
			double least = INFINITY;

			for (unsigned int old = 1; old <= LIMIT; old++) {
				double now = cost[old] + pages * (old == length && i ? RUN_COST : CHANGE_COST);

				if (now < least) {
					least = now;
					before[i][length] = (uint8_t)old;
				}
			}
			next[length] = least + count[i] * length + price / (1 << length);
		}
		memcpy(cost, next, sizeof(cost));
	}
	for (unsigned int length = 2; length <= LIMIT; length++)
		if (cost[length] < cost[best])
			best = length;
	for (unsigned int i = symbols; i-- > 0; best = before[i][best])
		lengths[i] = (uint8_t)best;
}

static unsigned int space(const uint8_t *lengths, unsigned int symbols)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < symbols; i++)
		sum += 1u << (LIMIT - lengths[i]);
	return sum;
}

/* A complete code in which every symbol has a word. */
static void train_lengths(const double *count, unsigned int symbols, double pages, uint8_t *lengths)
{
	double low = 0, high = 1;
	unsigned int room;

	do {
		high *= 2;
		cheapest_lengths(count, symbols, pages, high, lengths);
	} while (space(lengths, symbols) > 1u << LIMIT);
	for (int i = 0; i < 50; i++) {
		double middle = (low + high) / 2;

		cheapest_lengths(count, symbols, pages, middle, lengths);
		*(space(lengths, symbols) > 1u << LIMIT ? &low : &high) = middle;
	}
	cheapest_lengths(count, symbols, pages, high, lengths);
	for (room = (1u << LIMIT) - space(lengths, symbols); room > 0;) {
		unsigned int best = symbols;
		double most = -1;

		for (unsigned int i = 0; i < symbols; i++) {
			unsigned int share = 1u << (LIMIT - lengths[i]);

			if (share <= room && (count[i] + 0.001) / share > most) {
				most = (count[i] + 0.001) / share;
				best = i;
			}
		}
		room -= 1u << (LIMIT - lengths[best]);
		lengths[best]--;
	}
}

static void train_table(struct table *table)
{
	static struct code code;

	train_lengths(table->count, DEFLATE_LITLEN, table->pages, table->length);
	/* Distances beyond DEFLATE_TABLE_DISTANCE do not occur. */
	memset(table->length + DEFLATE_LITLEN, 0, DEFLATE_DIST);
	train_lengths(table->count + DEFLATE_LITLEN, 24, table->pages, table->length + DEFLATE_LITLEN);
	make_code(table->length, table->length + DEFLATE_LITLEN, &code);
	table->header_bits = code.header_bits;
}

static void seed_table(struct table *table, const struct sample *samples, size_t count)
{
	static unsigned int random = 1;

	for (unsigned int i = 0; i < SEED; i++) {
		random = random * 1664525 + 1013904223;
		for (unsigned int j = 0; j < SYMBOLS; j++)
			table->count[j] += samples[(random >> 4) % count].count[j];
	}
	table->pages = SEED;
	train_table(table);
}

static double cost_in(const struct sample *sample, const struct table *table)
{
	unsigned int bits = table->header_bits;

	for (unsigned int i = 0; i < SYMBOLS; i++)
		bits += (unsigned int)sample->count[i] * table->length[i];
	return bits;
}

static double assign(const struct sample *samples, size_t count, struct table *tables)
{
	double total = 0;

	for (unsigned int i = 0; i < DEFLATE_TABLES; i++) {
		memset(tables[i].count, 0, sizeof(tables[i].count));
		tables[i].pages = 0;
	}
	for (size_t i = 0; i < count; i++) {
		unsigned int best = 0;
		double least = INFINITY;

		for (unsigned int j = 0; j < DEFLATE_TABLES; j++) {
			double cost = cost_in(&samples[i], &tables[j]);

			if (cost < least) {
				least = cost;
				best = j;
			}
		}
		total += least;
		tables[best].pages++;
		for (unsigned int j = 0; j < SYMBOLS; j++)
			tables[best].count[j] += samples[i].count[j];
	}
	return total;
}

int main(int argc, char **argv)
{
	static struct table tables[DEFLATE_TABLES];
	struct sample *samples = NULL;
	struct context *context = create(4096);
	size_t limit = 2000, count = 0;
	int option;

	while ((option = getopt(argc, argv, "n:")) != -1) {
		if (option != 'n')
			return 2;
		limit = strtoul(optarg, NULL, 0);
	}
	if (!context || limit == 0 || argc - optind < 2)
		errx(2, "usage: train-tables [-n PAGES] DESCRIPTION FILE...");
	for (int i = optind + 1; i < argc; i++) {
		struct pages pages = { .page_size = 4096 };
		size_t n;

		pages_add(&pages, argv[i]);
		n = pages.count < limit ? pages.count : limit;
		samples = reallocarray(samples, count + n, sizeof(*samples));
		if (!samples)
			err(2, NULL);
		for (size_t j = 0; j < n; j++) {
			const uint8_t *data = pages.page[pages.count * j / n];
			struct lz_sequence *last = context->sequence;
			struct lz_page page;

			lz_begin(&page, data, 4096, context->table, usual);
			while (lz_next(&page, usual, 4096, last))
				last++;
			count_symbols(context, last, data, data + 4096);
			for (unsigned int k = 0; k < SYMBOLS; k++)
				samples[count].count[k] = (uint16_t)context->count[k];
			count++;
		}
		free(pages.page);
	}
	for (unsigned int i = 0; i < SYMBOLS; i++)
		tables[0].length[i] = context->code[0].word[i] & 0xff;
	tables[0].header_bits = context->code[0].header_bits;
	for (unsigned int i = 1; i < DEFLATE_TABLES; i++)
		seed_table(&tables[i], samples, count);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		double total = assign(samples, count, tables);

		fprintf(stderr, "round %u: %.1f bytes a page, without extra bits\n", round, total / 8 / (double)count);
		for (unsigned int i = 1; i < DEFLATE_TABLES; i++)
			train_table(&tables[i]);
	}
	for (unsigned int i = 0; i < DEFLATE_TABLES; i++)
		fprintf(stderr, "code %u: %.0f pages, header of %u bits\n", i, tables[i].pages, tables[i].header_bits);
	printf("/* SPDX-License-Identifier: GPL-2.0-or-later */\n"
	       "/* Generated by tests/bench/train-tables from %zu pages, of\n * %s. */\n"
	       "#include \"dumpfilter/codec/deflate_tables.h\"\n\n"
	       "const char deflate_tables[DEFLATE_TABLES - 1][DEFLATE_LITLEN + DEFLATE_DIST + 1] = {\n",
	       count, argv[optind]);
	for (unsigned int i = 1; i < DEFLATE_TABLES; i++) {
		for (unsigned int j = 0; j < SYMBOLS; j++)
			printf("%s%c%s", j % 80 == 0 ? "\t\"" : "", 'a' + tables[i].length[j],
			       j == SYMBOLS - 1 ? "\",\n" :
			       j % 80 == 79     ? "\"\n" :
						  "");
	}
	printf("};\n");
	free(samples);
	free(context);
	return 0;
}
