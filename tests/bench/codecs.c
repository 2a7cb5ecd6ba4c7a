/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codecs [-n PAGES] [-p PAGE_SIZE] FILE...: every page encoder over the same pages.
 *
 * FILE is an uncompressed dump, or any file. Encoders take turns over runs of pages; time is the thread's CPU time; of
 * five rounds the median counts. "speed" is relative to the LZO library's lzo1x_1 in the same round. Everything is
 * decoded by the format's usual library and compared. */
#include "config.h"

#include <err.h>
#include <lzo/lzo1x.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <zlib.h>
#include <zstd.h>
#ifdef HAVE_SNAPPY
#include <snappy-c.h>
#endif

#include "dumpfilter/codec/codec.h"
#include "tests/bench/pages.h"

#define ROUNDS 5u
#define TURN   64u

/* --- what others do ----------------------------------------------------------------------------------------------- */

static void *create_zlib(size_t page_size)
{
	z_stream *stream = calloc(1, sizeof(*stream));

	return stream && deflateInit(stream, Z_BEST_SPEED) == Z_OK ? stream : NULL;
}

static void destroy_zlib(void *stream)
{
	deflateEnd(stream);
	free(stream);
}

static size_t bound_any(size_t size)
{
	return 2 * size + 1024;
}

static size_t compress_zlib(void *arg, const void *in, size_t size, void *out)
{
	z_stream *stream = arg;

	deflateReset(stream);
	stream->next_in = (Bytef *)(uintptr_t)in;
	stream->avail_in = (uInt)size;
	stream->next_out = out;
	stream->avail_out = (uInt)bound_any(size);
	return deflate(stream, Z_FINISH) == Z_STREAM_END ? stream->total_out : 0;
}

static const struct codec zlib_1 = { "libz 1", 0, NULL, 1, create_zlib, destroy_zlib, bound_any, compress_zlib };

static void *create_lzo(size_t page_size)
{
	return malloc(LZO1X_1_MEM_COMPRESS);
}

static size_t compress_lzo(void *context, const void *in, size_t size, void *out)
{
	lzo_uint out_size = bound_any(size);

	return lzo1x_1_compress(in, size, out, &out_size, context) == LZO_E_OK ? out_size : 0;
}

static const struct codec lzo1x_1 = { "lzo1x_1", 0, NULL, 2, create_lzo, free, bound_any, compress_lzo };

static bool expand(uint32_t flag, const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
	uLongf zlib_size = out_size;
	lzo_uint lzo_size = out_size;

	switch (flag) {
	case 1:
		return uncompress(out, &zlib_size, in, in_size) == Z_OK && zlib_size == out_size;
	case 2:
		return lzo1x_decompress_safe(in, in_size, out, &lzo_size, NULL) == LZO_E_OK && lzo_size == out_size;
#ifdef HAVE_SNAPPY
	case 4:
		return snappy_uncompress((const char *)in, in_size, (char *)out, &out_size) == SNAPPY_OK;
#endif
	default:
		return ZSTD_decompress(out, out_size, in, in_size) == out_size;
	}
}

/* --- ours --------------------------------------------------------------------------------------------------------- */

struct run {
	const struct codec *codec;
	void *context;
	double seconds[ROUNDS], speed[ROUNDS];
	uint64_t bytes;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void check(const struct codec *codec, const uint8_t *page, size_t page_size, const uint8_t *packed, size_t size)
{
	static uint8_t back[65536];

	if (size == 0 || size > codec->bound(page_size) || !expand(codec->flag, packed, size, back, page_size) ||
	    memcmp(page, back, page_size) != 0)
		errx(1, "%s: a page of %zu bytes does not come back from %zu", codec->name, page_size, size);
}

/* One codec over some pages; in the first round, for the size and with a look at what comes out. */
static void take_turn(struct run *run, const struct pages *pages, size_t start, size_t count, unsigned int round)
{
	static uint8_t out[2 * 65536 + 1024];
	double before;

	for (size_t i = start; i < start + count && round == 0; i++) {
		size_t size = run->codec->compress(run->context, pages->page[i], pages->page_size, out);

		check(run->codec, pages->page[i], pages->page_size, out, size);
		run->bytes += size < pages->page_size ? size : pages->page_size;
	}
	before = now();
	for (size_t i = start; i < start + count; i++)
		run->codec->compress(run->context, pages->page[i], pages->page_size, out);
	run->seconds[round] += now() - before;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), by_size);
	return values[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	struct pages pages = { .page_size = 4096 };
	struct run runs[16] = { { .codec = &lzo1x_1 }, { .codec = &zlib_1 } };
	size_t limit = SIZE_MAX, run_count = 2;
	int option;

	while ((option = getopt(argc, argv, "n:p:")) != -1) {
		if (option == 'n')
			limit = strtoul(optarg, NULL, 0);
		else if (option == 'p')
			pages.page_size = strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	for (int i = optind; i < argc; i++)
		pages_add(&pages, argv[i]);
	if (pages.count == 0 || limit == 0 || pages.page_size > 65536)
		errx(2, "usage: codecs [-n PAGES] [-p PAGE_SIZE] FILE...");
	/* So many of them, evenly spread, in runs of a turn. */
	if (pages.count > limit) {
		size_t turns = limit / TURN + 1, all = pages.count;

		pages.count = 0;
		for (size_t i = 0; i < turns; i++)
			for (size_t j = all / turns * i; j < all / turns * i + TURN && j < all / turns * (i + 1); j++)
				pages.page[pages.count++] = pages.page[j];
	}
	for (size_t i = 0; codecs[i]; i++)
		runs[run_count++].codec = codecs[i];
	for (size_t i = 0; i < run_count; i++) {
		runs[i].context = runs[i].codec->create(pages.page_size);
		if (!runs[i].context)
			errx(1, "%s: no memory", runs[i].codec->name);
	}
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (size_t start = 0; start < pages.count; start += TURN)
			for (size_t i = 0; i < run_count; i++)
				take_turn(&runs[i], &pages, start,
					  pages.count - start < TURN ? pages.count - start : TURN, round);
		for (size_t i = 0; i < run_count; i++)
			runs[i].speed[round] = runs[0].seconds[round] / runs[i].seconds[round];
	}
	printf("%zu pages\n%-20s %8s %7s %8s\n", pages.count, "encoder", "MB/s", "speed", "out/in");
	for (size_t i = 0; i < run_count; i++) {
		const struct codec *codec = runs[i].codec;
		double bytes = (double)(pages.count * pages.page_size);
		char name[64];

		if (codec->option)
			snprintf(name, sizeof(name), "%s -%c", codec->name, codec->option);
		else
			snprintf(name, sizeof(name), "%s%s%s", codec->name, codec->long_option ? " --" : "",
				 codec->long_option ? codec->long_option : "");
		printf("%-20s %8.0f %7.2f %8.4f\n", name, bytes / median(runs[i].seconds) / 1e6, median(runs[i].speed),
		       (double)runs[i].bytes / bytes);
		codec->destroy(runs[i].context);
	}
	free(pages.page);
	return 0;
}
