/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/elf64.h"
#include "base/error.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/proc.h"
#include "base/sha256.h"
#include "base/text.h"
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

static void log_text(const char *text, char **ret)
{
	size_t size;
	FILE *out = open_memstream(ret, &size);
	struct kd_log log;

	assert_non_null(out);
	kd_log_init(&log, out, "kdump", KD_LOG_INFO);
	kd_log_error(&log, kd_error_create(KD_ERR_FORMAT, "%s", text));
	assert_int_equal(fclose(out), 0);
}

/* Whatever the text of an error holds, the logger prints one line that commands nothing. */
static void test_harmful_text(void **state)
{
	static const struct {
		const char *text, *printed;
	} rows[] = {
		{ "plain\ttext, ümlaut … 漢字 😀", "plain\ttext, ümlaut … 漢字 😀" },
		{ "a\nkdump: forged\r", "a\\x0akdump: forged\\x0d" },
		{ "\033[2J\a\177", "\\x1b[2J\\x07\\x7f" },
		{ "\xc2\x80\xc2\x9f\xc2\xa0", "\\xc2\\x80\\xc2\\x9f\xc2\xa0" },   /* C1, and a no-break space */
		{ "\x9b[m\xff", "\\x9b[m\\xff" },                                 /* C1 in Latin-1 */
		{ "\xc0\x9b\xe0\x80\x9b", "\\xc0\\x9b\\xe0\\x80\\x9b" },          /* overlong forms */
		{ "\xe2\x80", "\\xe2\\x80" },                                     /* cut off */
		{ "\xe2\x80\xaa\xe2\x80\xae", "\\xe2\\x80\\xaa\\xe2\\x80\\xae" }, /* U+202A, U+202E */
		{ "\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9\xe2\x81\xaa" },
	};
	char large[2000], wanted[2100];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *printed = NULL;

		log_text(rows[i].text, &printed);
		snprintf(wanted, sizeof(wanted), "kdump: %s\n", rows[i].printed);
		assert_string_equal(printed, wanted);
	}
	for (size_t size = 500; size < 520; size++) { /* around the size that is formatted without an allocation */
		_cleanup_free_ char *printed = NULL;

		memset(large, 'x', size);
		strcpy(large + size, "\033!");
		log_text(large, &printed);
		snprintf(wanted, sizeof(wanted), "kdump: %.*s\\x1b!\n", (int)size, large);
		assert_string_equal(printed, wanted);
	}
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

/* The first ones are in their order; the others cannot be foretold. */
static void test_next_number(void **state)
{
	unsigned int number = 0, other = 0;

	for (unsigned int i = 1; i <= 10; i++)
		assert_int_equal(number = kd_next_number(number), i);
	for (unsigned int i = 0; i < 10; i++)
		other |= kd_next_number(number);
	assert_true(other > 1000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_wraps_outwards),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_harmful_text),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_proc_figure),
		cmocka_unit_test(test_parse_numbers),
		cmocka_unit_test(test_split_words),
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_next_number),
		cmocka_unit_test(test_core_header),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
