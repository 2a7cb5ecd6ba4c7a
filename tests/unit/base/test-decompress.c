/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compressed files of each kind; damaged ones. */
#include <stdlib.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/decompress.h"
#include "tests/unit/testing.h"

static void test_gzip(void **state)
{
	static char data[100000];
	static uint8_t packed[100000];
	z_stream z = {
		.next_in = (uint8_t *)data, .avail_in = sizeof(data), .next_out = packed, .avail_out = sizeof(packed)
	};
	_cleanup_free_ void *out = NULL;
	size_t size, out_size, i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = i * i >> 7;
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	size = z.total_out;
	deflateEnd(&z);

	assert_ptr_equal(kd_decompress_probe(packed, size), kd_decompress_gzip);
	assert_no_error(kd_decompress_gzip(packed, size, sizeof(data), "x", &out, &out_size));
	assert_int_equal(out_size, sizeof(data));
	assert_memory_equal(out, data, sizeof(data));
	assert_error(kd_decompress_gzip(packed, size, sizeof(data) - 1, "x", &out, &out_size), KD_ERR_LIMIT, "expands");
	assert_error(kd_decompress_gzip(packed, size - 5, sizeof(data), "x", &out, &out_size), KD_ERR_FORMAT, "early");
	packed[size / 2] ^= 0x55;
	assert_error(kd_decompress_gzip(packed, size, sizeof(data), "x", &out, &out_size), KD_ERR_FORMAT, "corrupt");
	/* A lying size field in the trailer is only a hint. */
	packed[size / 2] ^= 0x55;
	packed[size - 4] = 1, packed[size - 3] = packed[size - 2] = packed[size - 1] = 0;
	assert_error(kd_decompress_gzip(packed, size, sizeof(data), "x", &out, &out_size), KD_ERR_FORMAT, "corrupt");
}

static void test_xz_zstd(void **state)
{
	/* printf hello | xz -9 --check=crc32; printf hello | zstd */
	static const uint8_t xz[] = { 0xfd, '7',  'z',  'X',  'Z',  0,   0,    1,   0x69, 0x22, 0xde, 0x36,
				      2,    0,    0x21, 1,    0x16, 0,   0,    0,   0x74, 0x2f, 0xe5, 0xa3,
				      1,    0,    4,    'h',  'e',  'l', 'l',  'o', 0,    0,    0,    0,
				      0x86, 0xa6, 0x10, 0x36, 0,    1,   0x19, 5,   0x2c, 0x24, 0x7f, 0xae,
				      0x90, 0x42, 0x99, 0x0d, 1,    0,   0,    0,   0,    1,    'Y',  'Z' };
	static const uint8_t zst[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 5, 0x29, 0, 0, 'h', 'e', 'l', 'l', 'o' };
	_cleanup_free_ void *out = NULL;
	size_t size;

	assert_ptr_equal(kd_decompress_probe(xz, sizeof(xz)), kd_decompress_xz);
	assert_error(kd_decompress_xz(xz, 40, 100, "x", &out, &size), KD_ERR_FORMAT, "early");
	assert_ptr_equal(kd_decompress_probe(zst, sizeof(zst)), kd_decompress_zstd);
	assert_no_error(kd_decompress_zstd(zst, sizeof(zst), 100, "x", &out, &size));
	assert_int_equal(size, 5);
	assert_string_equal(out, "hello");
	free(take_ptr(out));
	assert_error(kd_decompress_zstd(zst, sizeof(zst), 4, "x", &out, &size), KD_ERR_LIMIT, "more than 4");
	assert_error(kd_decompress_zstd(zst, sizeof(zst) - 1, 100, "x", &out, &size), KD_ERR_FORMAT, "early");
	assert_null(kd_decompress_probe("MZ", 2));
}

/* Two blocks: "abc", the same six times more by a match that begins in itself, "de" at the end; then 300 literals. */
static void test_lz4(void **state)
{
	uint8_t lz4[4 + 4 + 9 + 4 + 3 + 300] = { 2,   0x21, 0x4c, 0x18, 9, 0,    0,   0,  0x3e,
						 'a', 'b',  'c',  3,    0, 0x20, 'd', 'e' };
	_cleanup_free_ void *out = NULL;
	size_t size;

	lz4[17] = 303 & 255;
	lz4[18] = 303 >> 8;
	lz4[21] = 0xf0;
	lz4[22] = 255;
	lz4[23] = 300 - 15 - 255;
	memset(lz4 + 24, 'x', 300);
	assert_ptr_equal(kd_decompress_probe(lz4, sizeof(lz4)), kd_decompress_lz4);
	assert_no_error(kd_decompress_lz4(lz4, sizeof(lz4), 1000, "x", &out, &size));
	assert_int_equal(size, 3 + 18 + 2 + 300);
	assert_memory_equal(out, "abcabcabcabcabcabcabcdexx", 25);
	free(take_ptr(out));
	assert_error(kd_decompress_lz4(lz4, sizeof(lz4), 322, "x", &out, &size), KD_ERR_LIMIT, "more than 322");
	for (size_t cut = 4; cut < sizeof(lz4); cut++)
		if (cut != 4 && cut != 17)
			assert_error(kd_decompress_lz4(lz4, cut, 1000, "x", &out, &size), KD_ERR_FORMAT, "early");
	lz4[12] = 4; /* before the first byte */
	assert_error(kd_decompress_lz4(lz4, sizeof(lz4), 1000, "x", &out, &size), KD_ERR_FORMAT, "corrupt");
	lz4[12] = 0;
	assert_error(kd_decompress_lz4(lz4, sizeof(lz4), 1000, "x", &out, &size), KD_ERR_FORMAT, "corrupt");
	lz4[12] = 3;
	lz4[8] = 0x3f; /* the length goes on in bytes that are something else */
	assert_error(kd_decompress_lz4(lz4, sizeof(lz4), 1000, "x", &out, &size), KD_ERR_FORMAT, "corrupt");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_xz_zstd),
		cmocka_unit_test(test_lz4),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
