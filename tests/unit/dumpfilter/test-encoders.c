/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page encoders: every decoder gets the page back, and the encoders stay within their buffers. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#ifdef HAVE_LZO
#include <lzo/lzo1x.h>
#endif
#ifdef HAVE_DEFLATE
#include <libdeflate.h>
#endif
#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#endif

#include "dumpfilter/codec/codec.h"
#include "tests/unit/testing.h"

#define SIZE_MAX_PAGE ((size_t)65536)
#define GUARD         ((size_t)65536)

static const struct codec *const ours[] = { &codec_default, &codec_zlib, &codec_small, &codec_lzo, &codec_fast };

/* --- memory that ends where it says ------------------------------------------------------------------------------- */

/* Of @size bytes, with nothing accessible before it or behind it, as far as pages of the machine allow. */
static uint8_t *guarded(size_t size, uint8_t **map)
{
	size_t whole = (size + 4095) / 4096 * 4096;

	*map = mmap(NULL, whole + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(*map, MAP_FAILED);
	assert_int_equal(mprotect(*map + GUARD, whole, PROT_READ | PROT_WRITE), 0);
	return *map + GUARD + whole - size;
}

static void release(uint8_t *map, size_t size)
{
	munmap(map, (size + 4095) / 4096 * 4096 + 2 * GUARD);
}

/* --- pages -------------------------------------------------------------------------------------------------------- */

static uint32_t seed;

static uint32_t random_number(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

static void zeros(uint8_t *page, size_t size)
{
	memset(page, 0, size);
}

static void one_word(uint8_t *page, size_t size)
{
	for (size_t i = 0; i < size; i++)
		page[i] = (uint8_t) "\x40\x12\xb6\x01\x80\x88\xff\xff"[i % 8];
}

static void noise(uint8_t *page, size_t size)
{
	for (size_t i = 0; i < size; i++)
		page[i] = (uint8_t)(random_number() >> 3);
}

static void noise_then_zeros(uint8_t *page, size_t size)
{
	noise(page, size / 2);
	memset(page + size / 2, 0, size - size / 2);
}

/* The sample that chooses the code differs from the rest of the page. */
static void zeros_then_noise(uint8_t *page, size_t size)
{
	memset(page, 0, size / 4);
	noise(page + size / 4, size - size / 4);
}

static void few_letters(uint8_t *page, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint32_t most = 1 + random_number() % 13;

		page[i] = (uint8_t)("etaoin shrdlu"[random_number() % most]);
	}
}

static void every_byte(uint8_t *page, size_t size)
{
	for (size_t i = 0; i < size; i++)
		page[i] = (uint8_t)(i * 167 + i / 256);
}

/* Records with pointers and counters, as in slabs and in mem_map. */
static void records(uint8_t *page, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint64_t field[8] = { 0x17ffffc0000000,
				      0xffffea0000000000 + i / 64 * 64,
				      0xdead000000000122,
				      0,
				      i / 64,
				      random_number() % 3,
				      0xffffffff,
				      0xffff888001b60000 };

		page[i] = (uint8_t)(field[i % 64 / 8] >> i % 8 * 8);
	}
}

/* Copies of all lengths, from everywhere. */
static void copies(uint8_t *page, size_t size)
{
	for (size_t i = 0; i < size;) {
		size_t most = random_number() % 600 + 1, length = random_number() % most;
		size_t from = i ? random_number() % i : 0;

		page[i++] = (uint8_t)random_number();
		for (; length > 0 && i < size; length--)
			page[i++] = page[from++];
	}
}

/* A copy that ends with the page, and one byte that is different. */
static void odd_byte_out(uint8_t *page, size_t size)
{
	memset(page, 0x55, size);
	page[random_number() % size] = 1;
}

/* Most symbols are rare: words as long as they get. */
static void skewed(uint8_t *page, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint32_t number = random_number() & 0xffff;

		page[i] = (uint8_t)(number ? (unsigned int)__builtin_ctz(number) * 16 + random_number() % 2 : i);
	}
}

/* Memory of a real program: this one. */
static void program(uint8_t *page, size_t size)
{
	static long at;
	FILE *file = fopen("/proc/self/exe", "re");

	assert_non_null(file);
	fseek(file, at, SEEK_SET);
	if (fread(page, 1, size, file) != size)
		at = 0;
	at += (long)size;
	fclose(file);
}

static const struct {
	const char *name;
	void (*make)(uint8_t *page, size_t size);
} kinds[] = {
	{ "zeros", zeros },
	{ "one word", one_word },
	{ "noise", noise },
	{ "noise then zeros", noise_then_zeros },
	{ "zeros then noise", zeros_then_noise },
	{ "few letters", few_letters },
	{ "every byte", every_byte },
	{ "records", records },
	{ "copies", copies },
	{ "odd byte out", odd_byte_out },
	{ "skewed", skewed },
	{ "program", program },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* --- decoders ----------------------------------------------------------------------------------------------------- */

static void expand_zlib(const uint8_t *packed, size_t packed_size, uint8_t *out, size_t size)
{
	uLongf out_size = size;

	assert_int_equal(uncompress(out, &out_size, packed, packed_size), Z_OK);
	assert_int_equal(out_size, size);
}

#ifdef HAVE_DEFLATE
static void expand_libdeflate(const uint8_t *packed, size_t packed_size, uint8_t *out, size_t size)
{
	struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();

	assert_non_null(decompressor);
	assert_int_equal(libdeflate_zlib_decompress(decompressor, packed, packed_size, out, size, NULL),
			 LIBDEFLATE_SUCCESS);
	libdeflate_free_decompressor(decompressor);
}
#endif

#ifdef HAVE_ISAL
static void expand_isal(const uint8_t *packed, size_t packed_size, uint8_t *out, size_t size)
{
	struct inflate_state state;

	isal_inflate_init(&state);
	state.crc_flag = ISAL_ZLIB;
	state.next_in = (uint8_t *)(uintptr_t)packed;
	state.avail_in = (uint32_t)packed_size;
	state.next_out = out;
	state.avail_out = (uint32_t)size;
	assert_int_equal(isal_inflate(&state), ISAL_DECOMP_OK);
	assert_int_equal(state.avail_out, 0);
	assert_int_equal(state.block_state, ISAL_BLOCK_FINISH);
}
#endif

#ifdef HAVE_LZO
static void expand_lzo(const uint8_t *packed, size_t packed_size, uint8_t *out, size_t size)
{
	lzo_uint out_size = size;

	assert_int_equal(lzo1x_decompress_safe(packed, packed_size, out, &out_size, NULL), LZO_E_OK);
	assert_int_equal(out_size, size);
}
#endif

static const struct {
	uint32_t flag;
	void (*expand)(const uint8_t *packed, size_t packed_size, uint8_t *out, size_t size);
} decoders[] = {
	{ 1, expand_zlib },
#ifdef HAVE_DEFLATE
	{ 1, expand_libdeflate },
#endif
#ifdef HAVE_ISAL
	{ 1, expand_isal },
#endif
#ifdef HAVE_LZO
	{ 2, expand_lzo },
#endif
};

/* --- tests -------------------------------------------------------------------------------------------------------- */

struct bench {
	const struct codec *codec;
	void *context;
	size_t size;
	uint8_t *page, *page_map, *out, *out_map;
};

static void bench_init(struct bench *bench, const struct codec *codec, size_t size)
{
	*bench = (struct bench){ .codec = codec, .context = codec->create(size), .size = size };
	assert_non_null(bench->context);
	bench->page = guarded(size, &bench->page_map);
	bench->out = guarded(codec->bound(size), &bench->out_map);
}

static void bench_release(struct bench *bench)
{
	release(bench->page_map, bench->size);
	release(bench->out_map, bench->codec->bound(bench->size));
	bench->codec->destroy(bench->context);
}

/* Compress the page, and expand it with every decoder of the format. Returns the size. */
static size_t compress_and_check(struct bench *bench, const char *kind)
{
	static uint8_t back[SIZE_MAX_PAGE];
	const struct codec *codec = bench->codec;
	size_t packed;

	memset(bench->out, 0xa5, codec->bound(bench->size));
	packed = codec->compress(bench->context, bench->page, bench->size, bench->out);
	if (packed == 0 || packed > codec->bound(bench->size))
		fail_msg("%s %s: %zu bytes become %zu", codec->name, kind, bench->size, packed);
	for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++) {
		if (decoders[i].flag != codec->flag)
			continue;
		memset(back, 0x5a, bench->size);
		decoders[i].expand(bench->out, packed, back, bench->size);
		if (memcmp(back, bench->page, bench->size) != 0)
			fail_msg("%s %s: %zu bytes come back different", codec->name, kind, bench->size);
	}
	return packed;
}

static void test_round_trip(void **state)
{
	static const size_t sizes[] = { 2048, 4096, 16384, 65536, 64, 65, 80, 127, 600, 4095, 5000, 65535 };

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			struct bench bench;

			bench_init(&bench, ours[i], sizes[j]);
			for (size_t k = 0; k < KINDS; k++) {
				for (unsigned int round = 0; round < 4; round++) {
					seed = round * 77 + (uint32_t)k;
					kinds[k].make(bench.page, sizes[j]);
					compress_and_check(&bench, kinds[k].name);
				}
			}
			bench_release(&bench);
		}
	}
}

/* A page that starts where its mapping starts: nothing before it is read. */
static void test_mappings_start(void **state)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		struct bench bench;

		bench_init(&bench, ours[i], 4096);
		assert_ptr_equal(bench.page, bench.page_map + GUARD);
		for (size_t k = 0; k < KINDS; k++) {
			kinds[k].make(bench.page, 4096);
			compress_and_check(&bench, kinds[k].name);
		}
		bench_release(&bench);
	}
}

/* Pages whose parts have nothing in common. */
static void test_many_pages(void **state)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		struct bench bench;

		bench_init(&bench, ours[i], 4096);
		seed = 5;
		for (unsigned int round = 0; round < 300; round++) {
			size_t cut = random_number() % 4096;

			kinds[random_number() % KINDS].make(bench.page, 4096);
			kinds[random_number() % KINDS].make(bench.page + cut, 4096 - cut);
			compress_and_check(&bench, "two kinds");
		}
		bench_release(&bench);
	}
}

/* The output depends on the page alone, not on the pages before it. */
static void test_pages_are_independent(void **state)
{
	static uint8_t first[2 * 4096];

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		struct bench bench;
		size_t size;

		bench_init(&bench, ours[i], 4096);
		seed = 1;
		records(bench.page, 4096);
		size = compress_and_check(&bench, "records");
		assert_true(size <= sizeof(first));
		memcpy(first, bench.out, size);
		for (size_t k = 0; k < KINDS; k++) {
			kinds[k].make(bench.page, 4096);
			compress_and_check(&bench, kinds[k].name);
			seed = 1;
			records(bench.page, 4096);
			assert_int_equal(compress_and_check(&bench, "records"), size);
			assert_memory_equal(bench.out, first, size);
		}
		bench_release(&bench);
	}
}

static void test_sizes(void **state)
{
	/* Of 4096 bytes, as much as the worst of the encoders may leave. */
	static const struct {
		void (*make)(uint8_t *page, size_t size);
		size_t most[sizeof(ours) / sizeof(ours[0])];
	} rows[] = {
		{ zeros, { 40, 30, 30, 30, 30 } },
		{ one_word, { 65, 64, 46, 34, 34 } },
		{ records, { 710, 560, 505, 810, 790 } },
		{ few_letters, { 2750, 1900, 2200, 4500, 4500 } },
	};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		struct bench bench;

		bench_init(&bench, ours[i], 4096);
		for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++) {
			size_t size;

			seed = 9;
			rows[j].make(bench.page, 4096);
			size = compress_and_check(&bench, "size");
			if (size > rows[j].most[i])
				fail_msg("encoder %zu, page %zu: %zu bytes, more than %zu", i, j, size,
					 rows[j].most[i]);
		}
		/* Too small for an encoder, and no page: stored as it is. */
		assert_int_equal(ours[i]->compress(bench.context, bench.page, 63, bench.out), 0);
		assert_int_equal(ours[i]->compress(bench.context, bench.page, 0, bench.out), 0);
		bench_release(&bench);
		assert_null(ours[i]->create(131072));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_mappings_start),
		cmocka_unit_test(test_many_pages), cmocka_unit_test(test_pages_are_independent),
		cmocka_unit_test(test_sizes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
