/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/decompress.h"
#include "base/elf64.h"
#include "base/error.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/plan.h"
#include "base/proc.h"
#include "base/ranges.h"
#include "base/sha256.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "kdump/config/conf.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

/* --- error -------------------------------------------------------------------------------------------------------- */

static void test_error_wraps_outwards(void **state)
{
	struct kd_error *err = kd_error_os(ENOENT, "cannot open %s", "/x");

	err = kd_error_wrap(err, "loading %s", "a kernel");
	assert_int_equal(err->errnum, ENOENT);
	assert_error(err, KD_ERR_OS, "loading a kernel: cannot open /x: No such file or directory");
	assert_null(kd_error_wrap(NULL, "nothing"));
}

/* --- text and bytes ----------------------------------------------------------------------------------------------- */

static void test_text(void **state)
{
	_cleanup_free_ char *text = NULL;
	char hex[9];

	assert_no_error(kd_format(&text, "%s-%d", "a", 7));
	assert_string_equal(text, "a-7");
	assert_no_error(kd_set_text(&text, text + 1)); /* a part of what is replaced */
	assert_string_equal(text, "-7");
	assert_no_error(kd_set_text(&text, NULL));
	assert_null(text);
	kd_hex("\x00\x7f\xa5\xff", 4, hex);
	assert_string_equal(hex, "007fa5ff");
	kd_hex("", 0, hex);
	assert_string_equal(hex, "");
}

static void test_bytes(void **state)
{
	char page[64] = "";

	assert_true(kd_all_zero(page, sizeof(page)));
	assert_true(kd_all_zero(page, 1));
	for (size_t i = 0; i < sizeof(page); i++) {
		page[i] = 1;
		assert_false(kd_all_zero(page, sizeof(page)));
		page[i] = 0;
	}
	assert_int_equal(kd_mib_up(0), 0);
	assert_int_equal(kd_mib_up(1), 1);
	assert_int_equal(kd_mib_up(KD_MIB(3)), 3);
	assert_int_equal(kd_mib_up(UINT64_MAX), UINT64_C(1) << 44);
}

static void test_proc_figure(void **state)
{
	static const char text[] =
		"MemTotal:        76300 kB\nSwapCached:  3 kB\nCached:\t50000 kB\nBad: kB\nHuge: 99999999999999999 kB";
	uint64_t bytes = 7;

	assert_true(kd_proc_figure(text, "MemTotal", &bytes));
	assert_int_equal(bytes, 76300 * 1024);
	assert_true(kd_proc_figure(text, "Cached", &bytes));
	assert_int_equal(bytes, 50000 * 1024);
	assert_false(kd_proc_figure(text, "Mem", &bytes));
	assert_false(kd_proc_figure(text, "Bad", &bytes));
	assert_false(kd_proc_figure(text, "Huge", &bytes));
	assert_false(kd_proc_figure("", "MemTotal", &bytes));
	assert_int_equal(bytes, 50000 * 1024);
}

/* --- parse -------------------------------------------------------------------------------------------------------- */

static void test_parse_numbers(void **state)
{
	uint64_t u = 7;
	int64_t s;

	assert_true(kd_parse_u64("18446744073709551615", 10, &u));
	assert_true(u == UINT64_MAX);
	assert_false(kd_parse_u64("18446744073709551616", 10, &u));
	assert_false(kd_parse_u64("-1", 10, &u));
	assert_false(kd_parse_u64(" 1", 10, &u));
	assert_false(kd_parse_u64("+1", 10, &u));
	assert_false(kd_parse_u64("", 10, &u));
	assert_false(kd_parse_u64("1x", 10, &u));
	assert_true(kd_parse_u64("010", 0, &u) && u == 10);
	assert_true(kd_parse_u64("0x10", 0, &u) && u == 16);
	assert_true(kd_parse_u64("ff", 16, &u) && u == 255);
	assert_true(kd_parse_s64("-257", &s) && s == -257);
	assert_true(kd_parse_s64("0xffff", &s) && s == 0xffff);
	assert_true(kd_parse_s64("-9223372036854775808", &s) && s == INT64_MIN);
	assert_false(kd_parse_s64("-9223372036854775809", &s));
	assert_true(kd_parse_size("128M", &u) && u == 128 << 20);
	assert_true(kd_parse_size("0x10k", &u) && u == 16 << 10);
	assert_true(kd_parse_size("5", &u) && u == 5);
	assert_false(kd_parse_size("128MB", &u));
	assert_false(kd_parse_size("M", &u));
	assert_false(kd_parse_size("16777216T", &u));
}

static void test_split_words(void **state)
{
	_cleanup_free_ char **argv = NULL;
	size_t argc;

	argv = kd_split_words("  makedumpfile -l \"two words\" it''s ' ' ", &argc);
	assert_int_equal(argc, 5);
	assert_string_equal(argv[0], "makedumpfile");
	assert_string_equal(argv[2], "two words");
	assert_string_equal(argv[3], "its");
	assert_string_equal(argv[4], " ");
	assert_null(argv[5]);
	errno = 0;
	assert_null(kd_split_words("an \"open quote", NULL));
	assert_int_equal(errno, EINVAL);
}

/* --- ranges ------------------------------------------------------------------------------------------------------- */

static void assert_ranges(const struct kd_ranges *r, const char *expected)
{
	char text[256] = "";
	size_t i;

	for (i = 0; i < r->count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "[%" PRIx64 ",%" PRIx64 ")",
			 r->range[i].start, r->range[i].end);
	assert_string_equal(text, expected);
}

static void test_ranges_arithmetic(void **state)
{
	_cleanup_(kd_ranges_free) struct kd_ranges r = { 0 }, other = { 0 }, both = { 0 };

	assert_true(kd_ranges_add(&r, 0x30, 0x40));
	assert_true(kd_ranges_add(&r, 0x10, 0x20));
	assert_true(kd_ranges_add(&r, 0x50, 0x50));
	assert_ranges(&r, "[10,20)[30,40)");
	assert_true(kd_ranges_add(&r, 0x20, 0x30)); /* touching on both sides */
	assert_ranges(&r, "[10,40)");
	assert_true(kd_ranges_subtract(&r, 0x18, 0x20));
	assert_ranges(&r, "[10,18)[20,40)");
	assert_true(kd_ranges_subtract(&r, 0x18, 0x20)); /* already gone; touches both */
	assert_ranges(&r, "[10,18)[20,40)");
	assert_true(kd_ranges_subtract(&r, 0, 0x12));
	assert_true(kd_ranges_subtract(&r, 0x3f, UINT64_MAX));
	assert_ranges(&r, "[12,18)[20,3f)");
	assert_true(kd_ranges_contain(&r, 0x20, 0x3f));
	assert_false(kd_ranges_contain(&r, 0x17, 0x21));
	assert_false(kd_ranges_contain(&r, 0x20, 0x40));
	assert_int_equal(kd_ranges_total(&r), 6 + 0x1f);

	assert_true(kd_ranges_add(&other, 0x14, 0x24));
	assert_true(kd_ranges_intersect(&r, &other, &both));
	assert_ranges(&both, "[14,18)[20,24)");
	assert_true(kd_ranges_subtract_all(&r, &other));
	assert_ranges(&r, "[12,14)[24,3f)");
	assert_true(kd_ranges_clip(&r, 0x13, 0x30));
	assert_ranges(&r, "[13,14)[24,30)");
}

/* Every operation against a bitmap that does the same one bit at a time. */
static void test_ranges_against_bitmap(void **state)
{
	_cleanup_(kd_ranges_free) struct kd_ranges r = { 0 };
	bool bit[64] = { false };
	uint32_t seed = 1;
	int step;

	for (step = 0; step < 20000; step++) {
		unsigned int a, b, i, count = 0;
		bool add;

		seed = seed * 1664525 + 1013904223;
		a = seed >> 26;
		b = seed >> 20 & 63;
		add = seed >> 19 & 1;
		if (add)
			assert_true(kd_ranges_add(&r, a, b));
		else
			assert_true(kd_ranges_subtract(&r, a, b));
		for (i = a; i < b; i++)
			bit[i] = add;
		for (i = 0; i < 64; i++) {
			assert_int_equal(kd_ranges_contain(&r, i, i + 1), bit[i]);
			count += bit[i] && (i == 0 || !bit[i - 1]);
		}
		assert_int_equal(r.count, count);
	}
}

static void test_ranges_first_above(void **state)
{
	_cleanup_(kd_ranges_free) struct kd_ranges ranges = { 0 };

	assert_int_equal(kd_ranges_first_above(&ranges, 0), 0);
	assert_true(kd_ranges_add(&ranges, 10, 20) && kd_ranges_add(&ranges, 30, UINT64_MAX));
	assert_int_equal(kd_ranges_first_above(&ranges, 0), 0);
	assert_int_equal(kd_ranges_first_above(&ranges, 19), 0);
	assert_int_equal(kd_ranges_first_above(&ranges, 20), 1);
	assert_int_equal(kd_ranges_first_above(&ranges, UINT64_MAX - 1), 1);
	assert_int_equal(kd_ranges_first_above(&ranges, UINT64_MAX), 2);
}

static void test_ranges_find(void **state)
{
	_cleanup_(kd_ranges_free) struct kd_ranges r = { 0 };
	uint64_t at;

	assert_true(kd_ranges_add(&r, 0x1000, 0x3000));
	assert_true(kd_ranges_add(&r, 0x8800, 0x10000));
	assert_true(kd_ranges_find(&r, 0x1000, 0x1000, 0, UINT64_MAX, false, &at) && at == 0x1000);
	assert_true(kd_ranges_find(&r, 0x1000, 0x1000, 0x2800, UINT64_MAX, false, &at) && at == 0x9000);
	assert_true(kd_ranges_find(&r, 0x1000, 0x1000, 0, UINT64_MAX, true, &at) && at == 0xf000);
	assert_true(kd_ranges_find(&r, 0x1001, 0x1000, 0, 0xf800, true, &at) && at == 0xe000);
	assert_true(kd_ranges_find(&r, 0x2000, 0x1000, 0, 0x8000, true, &at) && at == 0x1000);
	assert_false(kd_ranges_find(&r, 0x7000, 0x8000, 0, UINT64_MAX, false, &at));
	assert_false(kd_ranges_find(&r, 0x10000, 1, 0, UINT64_MAX, true, &at));
}

/* --- sha256: FIPS 180-4 examples ---------------------------------------------------------------------------------- */

static void assert_sha256(const void *data, size_t size, size_t repeat, const char *expected)
{
	uint8_t digest[KD_SHA256_SIZE];
	struct kd_sha256 ctx;
	char hex[65];
	size_t i;

	kd_sha256_init(&ctx);
	while (repeat--)
		kd_sha256_update(&ctx, data, size);
	kd_sha256_final(&ctx, digest);
	for (i = 0; i < KD_SHA256_SIZE; i++)
		sprintf(hex + 2 * i, "%02x", digest[i]);
	assert_string_equal(hex, expected);
}

static void test_sha256(void **state)
{
	assert_sha256("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_sha256("abc", 3, 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 1,
		      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	assert_sha256("aaaaaaaaaa", 10, 100000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* --- elf64 -------------------------------------------------------------------------------------------------------- */

static void test_notes(void **state)
{
	static const struct {
		Elf64_Nhdr nhdr;
		char name[8];
		char desc[8];
		Elf64_Nhdr second;
		char second_name[4];
		char second_desc[4];
	} notes = {
		{ 5, 6, 1 }, "CORE", "abcdef", { 3, 0xffffff, 2 }, "AB", "",
	};
	struct kd_elf64_note note;
	size_t offset = 0;

	assert_true(kd_elf64_next_note(&notes, sizeof(notes), &offset, &note));
	assert_true(kd_elf64_note_is(&note, "CORE"));
	assert_false(kd_elf64_note_is(&note, "COR"));
	assert_int_equal(note.desc_size, 6);
	assert_memory_equal(note.desc, "abcdef", 6);
	assert_int_equal(offset, 28);
	assert_false(kd_elf64_next_note(&notes, sizeof(notes), &offset, &note)); /* runs past the end */
	offset = 0;
	assert_false(kd_elf64_next_note(&notes, 25, &offset, &note));
	assert_true(kd_elf64_next_note(&notes, 26, &offset, &note)); /* only padding is missing */
	assert_false(kd_elf64_next_note(&notes, 26, &offset, &note));
}

static void test_core_header(void **state)
{
	Elf64_Ehdr ehdr;

	kd_elf64_core_header(&ehdr, EM_X86_64, 3);
	assert_no_error(kd_elf64_check_core(&ehdr, "x"));
	ehdr.e_type = ET_EXEC;
	assert_error(kd_elf64_check_core(&ehdr, "x"), KD_ERR_FORMAT, "x: ELF type is 2");
	ehdr.e_ident[EI_DATA] = ELFDATA2MSB;
	assert_error(kd_elf64_check_core(&ehdr, "x"), KD_ERR_UNSUPPORTED, "little-endian");
	ehdr.e_ident[0] = 0;
	assert_error(kd_elf64_check_core(&ehdr, "x"), KD_ERR_FORMAT, "not an ELF file");
}

/* --- io, sysroot -------------------------------------------------------------------------------------------------- */

static void expect_text(struct kd_error *err, const char *text)
{
	assert_non_null(err);
	assert_string_equal(err->text, text);
	kd_error_destroy(err);
}

static void test_files(void **state)
{
	char dir[TEMPORARY_SIZE], path[128], link[128];
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { 0 };
	_cleanup_free_ char *text = NULL, *line = NULL, *real = NULL;
	struct stat st;
	uint64_t value;
	size_t size;

	temporary_make(dir);
	snprintf(path, sizeof(path), "%s/a/b", dir);
	assert_no_error(kd_mkdir_p(path, 0755));
	assert_no_error(kd_mkdir_p(path, 0755));
	strcat(path, "/value");
	assert_no_error(kd_write_file_atomic(path, "0x1f\n", 5, 0600));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_no_error(kd_read_file(path, 5, &text, &size));
	assert_int_equal(size, 5);
	assert_string_equal(text, "0x1f\n");
	assert_error(kd_read_file(path, 4, &text, &size), KD_ERR_LIMIT, "larger than 4 bytes");

	assert_no_error(kd_sysroot_open(dir, &root));
	assert_false(kd_sysroot_is_live(&root));
	assert_no_error(kd_sysroot_read_line(&root, &line, "/a/%s/value", "b"));
	assert_string_equal(line, "0x1f");
	assert_no_error(kd_sysroot_read_u64(&root, 0, &value, "/a/b/value"));
	assert_int_equal(value, 0x1f);
	assert_error(kd_sysroot_read_u64(&root, 10, &value, "/a/b/value"), KD_ERR_FORMAT, "not a number");
	/* Whatever cannot be read is called by its name. */
	snprintf(link, sizeof(link), "cannot read %s/a: Is a directory", dir);
	expect_text(kd_sysroot_read(&root, "/a", &text, &size), link);
	snprintf(link, sizeof(link), "cannot read %s/a: Is a directory", dir);
	*strrchr(path, '/') = '\0';
	*strrchr(path, '/') = '\0';
	expect_text(kd_read_file(path, 5, &text, &size), link);
	snprintf(link, sizeof(link), "cannot write %s/none/x: No such file or directory", dir);
	snprintf(path, sizeof(path), "%s/none/x", dir);
	expect_text(kd_write_file_atomic(path, "", 0, 0600), link);
	snprintf(path, sizeof(path), "%s/a/b/value", dir);
	/* An absolute link stays inside the captured tree. */
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(symlink("/a/b/value", link), 0);
	assert_no_error(kd_sysroot_realpath(&root, "/link", &real));
	assert_string_equal(real, "/a/b/value");
	assert_true(kd_sysroot_exists(&root, "/link"));
	assert_false(kd_sysroot_exists(&root, "/etc/passwd"));
	unlink(link);
	unlink(path);
	snprintf(path, sizeof(path), "%s/a/b", dir);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/a", dir);
	rmdir(path);
	assert_int_equal(rmdir(dir), 0); /* nothing left behind */
}

/* --- decompress --------------------------------------------------------------------------------------------------- */

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

/* --- plan --------------------------------------------------------------------------------------------------------- */

static void test_plan_round_trip(void **state)
{
	static char *const hook[] = { (char *)"/etc/kdump/pre.d/a script", (char *)"", (char *)"100%", NULL };
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 }, copy = { 0 };
	_cleanup_free_ char *text = NULL, *again = NULL;

	assert_no_error(kd_plan_init(&plan));
	plan.created = 1795409463;
	plan.utc_offset = -3600;
	plan.failure_action = KD_ACTION_SHELL;
	assert_no_error(kd_plan_add_module(&plan, "/lib/modules/virtio_pci.ko.gz", ""));
	assert_no_error(kd_plan_add_module(&plan, "/lib/modules/libata.ko.gz", "force=1.0:noncq debug=\"x\""));
	assert_no_error(kd_plan_add_target(&plan, "ext4", "UUID=1234", "subvol=/a b", "/var/crash", 60));
	assert_no_error(kd_plan_add_hook(&plan, "pre.d", hook));
	assert_no_error(kd_plan_format(&plan, &text));
	assert_non_null(strstr(text, "\nmodule /lib/modules/libata.ko.gz force=1.0:noncq%20debug=%22x%22\n"));
	assert_non_null(strstr(text, "\nhook pre.d /etc/kdump/pre.d/a%20script % 100%25\n"));
	assert_no_error(kd_plan_parse(text, "plan", &copy));
	assert_no_error(kd_plan_format(&copy, &again));
	assert_string_equal(text, again);
	assert_string_equal(copy.hook[0].argv[2], "100%");
	assert_string_equal(copy.target[0].options, "subvol=/a b");
	assert_null(copy.hook[0].argv[3]);
}

static void test_plan_refuses(void **state)
{
	static const char head[] = "kdump-plan 1\ncreated 1\nkernel 6.1\nhost h\naddress 127.0.0.1\nutc-offset 0\n"
				   "deadline 60\nquiesce on\n";
	static const struct {
		const char *lines, *message;
	} cases[] = {
		{ "collector cp\nfailure-action reboot\nfinal-action reboot\n", "truncated" },
		{ "collector cp\nfailure-action reboot\nend\n", "no \"final-action\" line" },
		{ "frobnicate 1\nend\n", "p:9: unknown key \"frobnicate\"" },
		{ "created 2\nend\n", "p:9: created is there twice" },
		{ "target ext4 UUID=1 % relative 60\nend\n", "p:9: bad value for target" },
		{ "target ext4 UUID=1 % /x 0\nend\n", "p:9: bad value for target" },
		{ "target ext4 UUID=1 % /x\nend\n", "p:9: target has 4 words" },
		{ "module /a %2\nend\n", "p:9: bad escape" },
		{ "module /a %00\nend\n", "p:9: bad escape" },
		{ "module  /a\nend\n", "p:9: bad escape" },
		{ "final-action shell\nend\n", "p:9: bad value for final-action" },
	};
	struct kd_plan plan;
	char text[512];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text), "%s%s", head, cases[i].lines);
		assert_error(kd_plan_parse(text, "p", &plan), KD_ERR_FORMAT, cases[i].message);
	}
	assert_error(kd_plan_parse("kdump-plan 2\nend\n", "p", &plan), KD_ERR_FORMAT, "p:1: \"kdump-plan 2\"");
	assert_error(kd_plan_parse("", "p", &plan), KD_ERR_FORMAT, "p:1:");
}

/* --- conf --------------------------------------------------------------------------------------------------------- */

static void count_warning(void *arg, const char *message)
{
	++*(int *)arg;
}

static void test_conf_values(void **state)
{
	static const char text[] = "# comment\n"
				   "\n"
				   "path /var/crash2   # where\n"
				   "ext4 UUID=03138356-5e61-4ab3-b58e-27507ac41937\n"
				   "core_collector \"makedumpfile -l --message-level 7 -d 31\"\n"
				   "extra_bins /usr/bin/lftp /a/b\n"
				   "\tdefault halt\n"
				   "force_rebuild 1\n"
				   "auto_reset_crashkernel yes\n"
				   "keep_dumps 5\nkeep_days 90\nkeep_size 20G\nkeep_free 10%";
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	int warnings = 0;

	assert_no_error(kd_conf_parse(text, "k.conf", &conf, count_warning, &warnings));
	assert_int_equal(warnings, 1);
	assert_int_equal(conf.keep_dumps, 5);
	assert_int_equal(conf.keep_days, 90);
	assert_int_equal(conf.keep_size, UINT64_C(20) << 30);
	assert_int_equal(conf.keep_free, 0);
	assert_int_equal(conf.keep_free_percent, 10);
	assert_string_equal(conf.path, "/var/crash2");
	assert_string_equal(conf.target_type, "ext4");
	assert_string_equal(conf.target, "UUID=03138356-5e61-4ab3-b58e-27507ac41937");
	assert_int_equal(conf.target_line, 4);
	assert_string_equal(conf.core_collector[0], "makedumpfile");
	assert_string_equal(conf.core_collector[5], "31");
	assert_string_equal(conf.extra_bins[1], "/a/b");
	assert_null(conf.extra_modules[0]);
	assert_int_equal(conf.failure_action, KD_ACTION_HALT);
	assert_false(conf.dump_to_rootfs);
	assert_int_equal(conf.final_action, KD_ACTION_REBOOT);
	assert_true(conf.force_rebuild);
}

static void test_conf_rootfs(void **state)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	size_t i, found = 0;

	assert_no_error(kd_conf_parse("failure_action dump_to_rootfs\nvirtiofs dumps\n", "k", &conf, NULL, NULL));
	assert_true(conf.dump_to_rootfs);
	assert_int_equal(conf.failure_action, KD_ACTION_REBOOT);
	assert_string_equal(conf.target_type, "virtiofs");
	assert_string_equal(conf.target, "dumps");
	for (i = 0; i < conf.setting_count; i++)
		found += conf.setting[i].name && strcmp(conf.setting[i].name, "virtiofs") == 0 &&
			 strcmp(conf.setting[i].value, "dumps") == 0 && conf.setting[i].line == 2;
	assert_int_equal(found, 1);
}

static void test_conf_refuses(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "foo bar", "k:1: Invalid kdump config option foo" },
		{ "\npath\n", "k:2: Invalid kdump config value for option 'path'" },
		{ "path # nothing\n", "k:1: Invalid kdump config value for option 'path'" },
		{ "path var/crash\n", "\"var/crash\"; give an absolute path" },
		{ "path /a\npath /b\n", "k:2: Duplicated kdump config value of option path (first on line 1)" },
		{ "ext4 /dev/sda\nxfs /dev/sdb\n",
		  "k:2: More than one dump targets specified (the other is on line 1)" },
		{ "ext4 /dev/sda\next4 /dev/sda\n", "k:2: More than one dump targets specified" },
		{ "ext4 sda1\n", "give /dev/" },
		{ "ext4 /etc/passwd\n", "give /dev/" },
		{ "ext4 UUID_SUB=1\n", "give /dev/" },
		{ "ext4 LABEL=\n", "give /dev/" },
		{ "net 1.2.3.4\n", "k:1: Deprecated kdump config option: net. Refer to kdump.conf manpage" },
		{ "nfs host:/export\n", "k:1: option 'nfs' is not implemented yet" },
		{ "dracut_args\n", "k:1: option 'dracut_args' is not implemented yet" },
		{ "virtiofs /dev/vda\n", "give the tag" },
		{ "failure_action panic\n", "use reboot, halt, poweroff, shell or dump_to_rootfs" },
		{ "final_action shell\n", "use reboot, halt or poweroff" },
		{ "force_rebuild 2\n", "k:1: Invalid kdump config value for option 'force_rebuild': \"2\"" },
		{ "force_rebuild 1\nforce_no_rebuild 1\n", "enabled simultaneously" },
		{ "core_collector \" \"\n", "only blanks" },
		{ "core_collector makedumpfile 'x\n", "close the quote" },
	};
	struct kd_conf conf;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_error(kd_conf_parse(cases[i].text, "k", &conf, NULL, NULL), KD_ERR_CONFIG, cases[i].message);
}

/* --- sysroot ------------------------------------------------------------------------------------------------------ */

struct renamer {
	char a[128], b[128];
	bool stop; /* accessed atomically */
};

static void *rename_all_the_time(void *arg)
{
	struct renamer *renamer = arg;

	while (!__atomic_load_n(&renamer->stop, __ATOMIC_RELAXED))
		if (rename(renamer->a, renamer->b) < 0 || rename(renamer->b, renamer->a) < 0)
			break;
	return NULL;
}

/* Renames elsewhere on the machine are no reason not to find a file. */
static void test_sysroot_races(void **state)
{
	char directory[TEMPORARY_SIZE], path[128];
	struct renamer renamer = { 0 };
	struct kd_sysroot root;
	unsigned int found = 0;
	pthread_t thread;

	temporary_make(directory);
	snprintf(path, sizeof(path), "%s/one", directory);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(renamer.a, sizeof(renamer.a), "%s/a", directory);
	snprintf(renamer.b, sizeof(renamer.b), "%s/b", directory);
	assert_no_error(kd_write_file_atomic(renamer.a, "x", 1, 0600));
	assert_no_error(kd_sysroot_open(directory, &root));
	assert_int_equal(pthread_create(&thread, NULL, rename_all_the_time, &renamer), 0);
	for (unsigned int i = 0; i < 20000; i++)
		found += kd_sysroot_exists(&root, "/one/../one/../one");
	__atomic_store_n(&renamer.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	kd_sysroot_close(&root);
	assert_int_equal(found, 20000);
	temporary_remove(directory);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_wraps_outwards),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_proc_figure),
		cmocka_unit_test(test_parse_numbers),
		cmocka_unit_test(test_split_words),
		cmocka_unit_test(test_ranges_arithmetic),
		cmocka_unit_test(test_ranges_against_bitmap),
		cmocka_unit_test(test_ranges_first_above),
		cmocka_unit_test(test_ranges_find),
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_core_header),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_xz_zstd),
		cmocka_unit_test(test_plan_round_trip),
		cmocka_unit_test(test_plan_refuses),
		cmocka_unit_test(test_conf_values),
		cmocka_unit_test(test_conf_rootfs),
		cmocka_unit_test(test_conf_refuses),
		cmocka_unit_test(test_sysroot_races),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
