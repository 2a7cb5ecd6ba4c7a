/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of encrypted volumes: where they are looked for, and how one is known in memory. */
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/secret.h"
#include "kdump/storage/key_search.h"
#include "kdump/storage/volume_keys.h"

/* --- fetching ----------------------------------------------------------------------------------------------------- */

#define IN_KEYRING "0 999 crypt aes-xts-plain64 :64:logon:cryptsetup:1234-d0 0 253:0 32768 1 allow_discards\n"
#define FROM_FILE  "00ff11ee"
#define IN_KERNEL  "0123cdef"

static const char *table_text, *kernel_has;

static struct kd_error *table(const struct kd_sysroot *root, const char *name, char **ret)
{
	assert_string_equal(name, "secret");
	*ret = strdup(table_text);
	return NULL;
}

static struct kd_error *file_key(const char *name, const char *file, uint64_t offset, uint64_t size, char **ret)
{
	assert_string_equal(name, "secret");
	assert_string_equal(file, "/etc/keys/one");
	assert_int_equal(offset, 16);
	assert_int_equal(size, 64);
	*ret = strdup(FROM_FILE);
	return NULL;
}

static struct kd_error *kernel_key(const char *name, size_t size, char **ret)
{
	assert_string_equal(name, "secret");
	assert_int_equal(size, 64);
	if (!kernel_has)
		return kd_error_create(KD_ERR_NOT_FOUND, "the kernel does not tell");
	*ret = strdup(kernel_has);
	return NULL;
}

static const struct volumes_source source = { table, file_key, kernel_key };

static int setup(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	assert_non_null(tree);
	tree_make(tree);
	tree_text(tree, "/etc/keys/one", "k");
	table_text = IN_KEYRING;
	kernel_has = NULL;
	*state = tree;
	return 0;
}

static int teardown(void **state)
{
	tree_remove(*state);
	free(*state);
	return 0;
}

/* The keys of a plan with one encrypted volume, which lies on one that is not. */
static struct kd_error *fetch(const struct tree *tree, struct volume_keys *keys)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_free_ char **below = kd_split_words("0 9 linear DISK=a 0", NULL);
	_cleanup_free_ char **words = kd_split_words("0 9 crypt aes-xts-plain64 key:secret 0 volume:vg 0", NULL);

	assert_no_error(kd_plan_init(&plan));
	assert_no_error(kd_plan_add_volume(&plan, "dm", "vg", below));
	assert_no_error(kd_plan_add_volume(&plan, "dm", "secret", words));
	assert_no_error(volume_keys_list(&plan, keys));
	assert_int_equal(keys->count, 1);
	assert_string_equal(keys->key[0].volume, "secret");
	assert_null(keys->key[0].text);
	return volume_keys_fetch(&tree->root, &source, keys);
}

static void expect_key(const struct tree *tree, const char *text, const char *from)
{
	_cleanup_(volume_keys_free) struct volume_keys keys = { 0 };

	assert_no_error(fetch(tree, &keys));
	assert_string_equal(keys.key[0].text, text);
	assert_string_equal(keys.key[0].source, from);
}

static void test_no_key_is_needed(void **state)
{
	_cleanup_(volume_keys_free) struct volume_keys keys = { 0 };
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	const struct tree *tree = *state;

	assert_no_error(kd_plan_init(&plan));
	assert_no_error(volume_keys_list(&plan, &keys));
	assert_no_error(volume_keys_fetch(&tree->root, &source, &keys));
	assert_int_equal(keys.count, 0);
}

static void test_each_source(void **state)
{
	const struct tree *tree = *state;

	kernel_has = IN_KERNEL;
	expect_key(tree, IN_KERNEL, "the running kernel's memory");
	tree_text(tree, "/etc/crypttab",
		  "# name device key\nother UUID=1 none\n  secret /dev/vg/root /etc/keys/one "
		  "luks,keyfile-offset=16,keyfile-size=64\n");
	expect_key(tree, FROM_FILE, "key file /etc/keys/one");
	table_text = "0 999 crypt aes-xts-plain64 8899aabb 0 253:0 32768\n";
	expect_key(tree, "8899aabb", "its device-mapper table");
}

static void test_bad_tables(void **state)
{
	static const struct {
		const char *table, *why;
	} cases[] = {
		{ "", "has no key" },
		{ "0 999 crypt aes-xts-plain64\n0 1 crypt aes 0011 0\n", "has no key" },
		{ "0 999 crypt aes-xts-plain64 :x:logon:a 0\n", "a malformed key" },
		{ "0 999 crypt aes-xts-plain64 :0:logon:a 0\n", "a malformed key" },
	};
	_cleanup_(volume_keys_free) struct volume_keys keys = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kd_error *err;

		table_text = cases[i].table;
		err = fetch(*state, &keys);
		volume_keys_free(&keys);
		assert_non_null(err);
		if (!strstr(err->text, cases[i].why))
			fail_msg("\"%s\", expected \"%s\"", err->text, cases[i].why);
		kd_error_destroy(err);
	}
}

/* Where the kernel does not tell, either, the message has the reasons and what helps. */
static void test_refused(void **state)
{
	static const struct {
		const char *crypttab, *why;
	} cases[] = {
		{ "", "has no entry for secret" },
		{ "secret /dev/vg/root\n", "does not name a key file" },
		{ "secret /dev/vg/root none luks\n", "does not name a key file" },
		{ "secret /dev/vg/root - luks\n", "does not name a key file" },
		{ "secret /dev/vg/root key:UUID=1 luks\n", "does not name a regular file" },
		{ "secret /dev/vg/root /etc/keys:LABEL=stick luks\n", "does not name a regular file" },
		{ "secret /dev/vg/root /etc luks\n", "does not name a regular file" },
		{ "secret /dev/vg/root /etc/crypttab keyscript=/bin/ask\n", "asks a program" },
		{ "secret /dev/vg/root /etc/crypttab keyfile-size=many\n", "bad option \"keyfile-size=many\"" },
		{ "secret /dev/vg/root /etc/keys/gone luks\n", "/etc/keys/gone" },
	};
	static const char *const remedies[] = { "volume secret: it is encrypted", "the kernel does not tell",
						"\"cryptsetup luksAddKey\"", "\"cryptsetup open --disable-keyring\"" };
	_cleanup_(volume_keys_free) struct volume_keys keys = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kd_error *err;

		tree_text(*state, "/etc/crypttab", cases[i].crypttab);
		err = fetch(*state, &keys);
		volume_keys_free(&keys);
		assert_non_null(err);
		assert_int_equal(err->code, KD_ERR_UNSUPPORTED);
		if (!strstr(err->text, cases[i].why))
			fail_msg("\"%s\", expected \"%s\"", err->text, cases[i].why);
		for (size_t j = 0; j < ARRAY_SIZE(remedies); j++)
			assert_non_null(strstr(err->text, remedies[j]));
		kd_error_destroy(err);
	}
}

/* Text that was cut into words is overwritten behind the first of them, too. */
static void test_secrets_are_overwritten(void **state)
{
	const size_t size = 4096;
	char *secret = malloc(size);

	assert_non_null(secret);
	memset(secret, 'k', size);
	secret[3] = '\0';
	kd_secret_free(secret);
	/* The allocator has the memory again and gives it to the next. Its own notes are at the start. */
	secret = malloc(size);
	assert_non_null(secret);
	assert_null(memchr(secret + 32, 'k', size - 32));
	free(secret);
	kd_secret_free(NULL);
}

/* --- key schedules ------------------------------------------------------------------------------------------------ */

/* The example keys of FIPS 197, appendix A, and the last words of their schedules there. */
static const struct {
	const char *key, *last;
} examples[] = {
	{ "2b7e151628aed2a6abf7158809cf4f3c", "d014f9a8c9ee2589e13f0cc8b6630ca6" },
	{ "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "e98ba06f448c773c8ecc720401002202" },
	{ "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "fe4890d1e6188d0b046df344706c631e" },
};

static size_t from_hex(const char *hex, uint8_t *ret)
{
	size_t size = strlen(hex) / 2;

	for (size_t i = 0; i < size; i++) {
		const char digits[] = { hex[2 * i], hex[2 * i + 1], '\0' };

		ret[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return size;
}

/* Extends @data, which begins with the key, word by word: of all words only the right one makes a longer schedule of it
 * hold. The library only recognises schedules, so that this has a table of its own. */
static uint8_t box[256];

static void make_box(void)
{
	uint8_t p = 1, q = 1;

	/* p runs through all powers of 3, q through those of its inverse. */
	do {
		p = (uint8_t)(p ^ p << 1 ^ (p & 0x80 ? 0x1b : 0));
		q ^= (uint8_t)(q << 1);
		q ^= (uint8_t)(q << 2);
		q ^= (uint8_t)(q << 4);
		q ^= q & 0x80 ? 0x09 : 0;
		box[p] = (uint8_t)(q ^ (q << 1 | q >> 7) ^ (q << 2 | q >> 6) ^ (q << 3 | q >> 5) ^ (q << 4 | q >> 4) ^
				   0x63);
	} while (p != 1);
	box[0] = 0x63;
}

static size_t expand(uint8_t *data, size_t key_size)
{
	size_t words = key_size / 4, total = 4 * (words + 7);
	uint8_t round = 1;

	make_box();
	for (size_t i = words; i < total; i++) {
		uint8_t word[4];

		memcpy(word, data + 4 * (i - 1), 4);
		if (i % words == 0) {
			const uint8_t first = word[0];

			for (unsigned int j = 0; j < 3; j++)
				word[j] = box[word[j + 1]];
			word[3] = box[first];
			word[0] ^= round;
			round = (uint8_t)(round << 1 ^ (round & 0x80 ? 0x1b : 0));
		} else if (words > 6 && i % words == 4) {
			for (unsigned int j = 0; j < 4; j++)
				word[j] = box[word[j]];
		}
		for (unsigned int j = 0; j < 4; j++)
			data[4 * i + j] = data[4 * (i - words) + j] ^ word[j];
	}
	return 4 * total;
}

/* --- the search --------------------------------------------------------------------------------------------------- */

/* Memory at MEMORY_START, of which the last page cannot be read. */
#define MEMORY_START UINT64_C(0xffff888012340000)
enum { MEMORY_SIZE = 16 * 4096 };
static uint8_t memory[MEMORY_SIZE];
static uint8_t right[KEY_SEARCH_MAX];
static unsigned int asked, reads;

static bool read_memory(void *arg, uint64_t vaddr, void *buf, size_t size)
{
	reads++;
	if (vaddr < MEMORY_START || vaddr > MEMORY_START + MEMORY_SIZE || size > MEMORY_SIZE - (vaddr - MEMORY_START))
		return false;
	memcpy(buf, memory + (vaddr - MEMORY_START), size);
	return true;
}

static bool is_right(void *arg, const uint8_t *key, size_t size)
{
	asked++;
	return memcmp(key, right, size) == 0;
}

/* A pointer at @at to @to. */
static void point(size_t at, size_t to)
{
	const uint64_t vaddr = MEMORY_START + to;

	memcpy(memory + at, &vaddr, sizeof(vaddr));
}

static void put_schedule(size_t at, const char *hex)
{
	uint8_t data[256];
	size_t size = expand(data, from_hex(hex, data));

	memcpy(memory + at, data, size);
}

static bool search(size_t size)
{
	const struct key_search request = { read_memory, is_right, NULL, size };
	uint8_t key[KEY_SEARCH_MAX] = "";
	bool found;

	asked = reads = 0;
	found = key_search(&request, MEMORY_START, key);
	assert_memory_equal(key, found ? right : (const uint8_t[KEY_SEARCH_MAX]){ 0 }, sizeof(key));
	return found;
}

static void clear(void)
{
	memset(memory, 0, sizeof(memory));
	memset(right, 0, sizeof(right));
}

/* Only the whole schedule of a key of that size counts. */
static void test_schedules(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		uint8_t data[256] = "", last[16];
		size_t key_size = from_hex(examples[i].key, data), size = expand(data, key_size);

		from_hex(examples[i].last, last);
		assert_memory_equal(data + size - sizeof(last), last, sizeof(last));
		clear();
		from_hex(examples[i].key, right);
		memcpy(memory + MEMORY_SIZE - 1024, data, size);
		point(0, MEMORY_SIZE - 1024);
		for (size_t other = 16; other <= 40; other += 8)
			assert_int_equal(search(other), other == key_size);
		for (size_t at = 0; at < size; at++) {
			memory[MEMORY_SIZE - 1024 + at] ^= 1;
			assert_false(search(key_size));
			assert_int_equal(asked, 0);
			memory[MEMORY_SIZE - 1024 + at] ^= 1;
		}
		/* The memory ends before the schedule does. */
		memcpy(memory + MEMORY_SIZE - 128, data, 128);
		point(0, MEMORY_SIZE - 128);
		assert_false(search(key_size));
	}
}

#define FIRST  "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
#define SECOND "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* Two halves of XTS's key, in one object or in two, either of which may come first. */
static void test_halves(void **state)
{
	static const struct {
		size_t first, second;
	} cases[] = { { 0x1100, 0x1100 + 484 }, { 0x1100 + 484, 0x1100 }, { 0x1100, 0x5008 }, { 0x5008, 0x1100 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		clear();
		point(0, 0x1000);
		point(0x1010, 0x3008);
		point(0x3010, 0x5000);
		point(0x3018, 0); /* back to the start */
		put_schedule(cases[i].first, FIRST);
		put_schedule(cases[i].second, SECOND);
		from_hex(FIRST SECOND, right);
		assert_true(search(64));
		assert_in_range(asked, 1, 4);
		from_hex(SECOND FIRST, right);
		assert_true(search(64));
		from_hex(FIRST FIRST, right);
		assert_true(search(64));
		right[0] ^= 1;
		assert_false(search(64));
	}
}

static void test_whole_key(void **state)
{
	clear();
	point(8, MEMORY_SIZE - 256); /* the object ends before its page does */
	put_schedule(MEMORY_SIZE - 256, FIRST);
	from_hex(FIRST, right);
	assert_true(search(32));
	assert_int_equal(asked, 1);
	assert_false(search(16));
	assert_false(search(8));
	assert_false(search(128));
}

/* Pointers in a ring, to nowhere, and more of them than anybody follows. */
static void test_bounded(void **state)
{
	clear();
	for (size_t at = 0; at < MEMORY_SIZE; at += 8)
		point(at, at * 24 % MEMORY_SIZE);
	assert_false(search(64));
	assert_in_range(reads, 100, 2 * 2048);
	memset(memory, 0xff, sizeof(memory));
	assert_false(search(64));
	assert_in_range(reads, 1, 2);
}

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_no_key_is_needed),
		TREE_TEST(test_each_source),
		TREE_TEST(test_bad_tables),
		TREE_TEST(test_refused),
		cmocka_unit_test(test_secrets_are_overwritten),
		cmocka_unit_test(test_schedules),
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_whole_key),
		cmocka_unit_test(test_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
