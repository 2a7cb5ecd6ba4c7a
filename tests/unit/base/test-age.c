/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Encrypted files. Those of tests/data/age were made by age(1); tests/cases/age lets age(1) read what this writes. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/age.h"
#include "base/io.h"
#include "tests/unit/testing.h"

#define RECIPIENT "age1f8nslzszklq85g4f5xl5f72x30v27nt67cgczfpwx7dgxt6x79es073kw7"
#define CONTENT   "the content\n"

/* A file in memory, and its text. */
static int memory_file(const void *data, size_t size)
{
	int fd = memfd_create("age", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_return_code(kd_write_all(fd, data, size), 0);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static char *read_back(int fd, size_t *size)
{
	char *text;

	lseek(fd, 0, SEEK_SET);
	assert_no_error(kd_read_fd(fd, "memory", 1 << 24, &text, size));
	return text;
}

static char *read_vector(const char *name, size_t *size)
{
	char path[512], *text;

	snprintf(path, sizeof(path), TEST_DATA "/age/%s", name);
	assert_no_error(kd_read_file(path, 1 << 20, &text, size));
	return text;
}

static struct kd_age_identity read_identity(void)
{
	struct kd_age_identity identity;
	size_t size;
	_cleanup_free_ char *text = read_vector("identity.txt", &size);

	text[strcspn(text, "\n")] = '\0';
	assert_no_error(kd_age_identity_parse(text, &identity));
	return identity;
}

struct outcome {
	struct kd_error *err;
	enum kd_age_state state;
	char *content;
	size_t size;
	uint64_t offset; /* where reading has stopped */
};

static void forget(struct outcome *outcome)
{
	kd_error_destroy(outcome->err);
	free(outcome->content);
	*outcome = (struct outcome){ 0 };
}

/* Read all chunks of the file. */
static struct outcome decrypt(const void *data, size_t size)
{
	_cleanup_(kd_age_reader_free) struct kd_age_reader *reader = NULL;
	struct kd_age_identity identity = read_identity();
	struct outcome outcome = { .state = KD_AGE_MORE };
	_cleanup_close_ int fd = memory_file(data, size);

	outcome.err = kd_age_open(fd, "file", &identity, 1, &reader);
	while (!outcome.err && outcome.state == KD_AGE_MORE) {
		const uint8_t *chunk;
		size_t chunk_size;

		outcome.err = kd_age_read(reader, &chunk, &chunk_size, &outcome.state);
		outcome.offset = kd_age_offset(reader);
		if (outcome.err || !chunk_size)
			continue;
		outcome.content = realloc(outcome.content, outcome.size + chunk_size);
		memcpy(outcome.content + outcome.size, chunk, chunk_size);
		outcome.size += chunk_size;
	}
	return outcome;
}

/* Encrypt @size bytes of @data in pieces; @finish: with the last chunk. */
static char *sealed(const char *data, size_t size, size_t piece, bool finish, size_t *size_ret)
{
	_cleanup_(kd_age_writer_free) struct kd_age_writer *writer = NULL;
	_cleanup_close_ int fd = memory_file("", 0);
	struct kd_age_recipient recipient;

	assert_no_error(kd_age_recipient_parse(RECIPIENT, &recipient));
	assert_no_error(kd_age_begin(fd, "memory", &recipient, 1, &writer));
	for (size_t at = 0; at < size; at += piece)
		assert_no_error(kd_age_write(writer, data + at, size - at < piece ? size - at : piece));
	if (finish)
		assert_no_error(kd_age_finish(writer));
	return read_back(fd, size_ret);
}

static char *pattern(size_t size)
{
	char *data = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 7 + i / 251);
	return data;
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static void test_age_recipient(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "does not begin with" },
		{ "age1", "has 62 characters, and this one 4" },
		{ "AGE1F8NSLZSZKLQ85G4F5XL5F72X30V27NT67CGCZFPWX7DGXT6X79ES073KW7", "does not begin with" },
		{ "age1f8nslzszklq85g4f5xl5f72x30v27nt67cgczfpwx7dgxt6x79es073kw8", "checksum is wrong" },
		{ "age1f8nslzszklq85g4f5xl5f72x30v27nt67cgczfpwx7dgxt6x79es073kwb", "has a character" },
		{ "age1F8nslzszklq85g4f5xl5f72x30v27nt67cgczfpwx7dgxt6x79es073kw7", "has a character" },
		{ "age1f8nslzszklq85g4f5xl5f72x30v27nt67cgczfpwx7dgxt6x79es073kw7 ", "this one 63" },
		{ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", "does not begin with" },
		/* 0, 1, a point of order 8, -1, and 0 in another form */
		{ "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z", "point of small order" },
		{ "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya", "point of small order" },
		{ "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhqqqzyt4v9", "point of small order" },
		{ "age1anlllllllllllllllllllllllllllllllllllllllllllllllals4n2t7m", "point of small order" },
		{ "age1ahlllllllllllllllllllllllllllllllllllllllllllllllalsn46ayy", "point of small order" },
	};
	struct kd_age_recipient recipient;
	struct kd_age_identity identity = read_identity();

	assert_no_error(kd_age_recipient_parse(RECIPIENT, &recipient));
	assert_memory_equal(recipient.key, identity.recipient.key, sizeof(recipient.key));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_error(kd_age_recipient_parse(bad[i].text, &recipient), KD_ERR_FORMAT, bad[i].why);
}

static void test_age_identity(void **state)
{
	size_t size;
	_cleanup_free_ char *text = read_vector("identity.txt", &size);
	struct kd_age_identity identity;

	text[strcspn(text, "\n")] = '\0';
	text[30] = text[30] == 'Q' ? 'P' : 'Q';
	assert_error(kd_age_identity_parse(text, &identity), KD_ERR_FORMAT, "checksum is wrong");
	assert_error(kd_age_identity_parse(RECIPIENT, &identity), KD_ERR_FORMAT, "does not begin with");
}

/* --- files of age(1) ---------------------------------------------------------------------------------------------- */

static void test_age_vectors(void **state)
{
	static const struct {
		const char *name, *content;
	} files[] = { { "empty.age", "" }, { "one.age", CONTENT }, { "several.age", CONTENT } };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		size_t size;
		_cleanup_free_ char *text = read_vector(files[i].name, &size);
		struct outcome outcome = decrypt(text, size);
		uint64_t payload;

		assert_no_error(outcome.err);
		assert_int_equal(outcome.state, KD_AGE_LAST);
		assert_int_equal(outcome.size, strlen(files[i].content));
		assert_memory_equal(outcome.content ? outcome.content : "", files[i].content, outcome.size);
		assert_true(kd_age_payload_offset(text, size, &payload));
		assert_true(kd_age_may_be_whole(size - payload));
		forget(&outcome);
	}
}

static void test_age_of_others(void **state)
{
	size_t size;
	_cleanup_free_ char *text = read_vector("other.age", &size);
	struct outcome outcome = decrypt(text, size);

	assert_error(take_ptr(outcome.err), KD_ERR_NOT_FOUND, "not encrypted to any of the keys");
}

/* Every bit of a small file counts, and every cut is seen. */
static void test_age_damage(void **state)
{
	size_t size;
	_cleanup_free_ char *text = read_vector("several.age", &size);

	for (size_t i = 0; i < size * 8; i++) {
		struct outcome outcome;

		text[i / 8] ^= (char)(1 << i % 8);
		outcome = decrypt(text, size);
		text[i / 8] ^= (char)(1 << i % 8);
		assert_true(outcome.err || outcome.state == KD_AGE_CUT);
		assert_int_equal(outcome.size, 0);
		forget(&outcome);
	}
	for (size_t i = 0; i < size; i++) {
		struct outcome outcome = decrypt(text, i);

		assert_true(outcome.err || outcome.state == KD_AGE_CUT);
		assert_int_equal(outcome.size, 0);
		forget(&outcome);
	}
}

/* --- own files ---------------------------------------------------------------------------------------------------- */

static void test_age_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, KD_AGE_CHUNK - 1, KD_AGE_CHUNK, KD_AGE_CHUNK + 1, 3 * KD_AGE_CHUNK };
	static const size_t pieces[] = { 1009, KD_AGE_CHUNK, 5 * KD_AGE_CHUNK };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) * 3; i++) {
		size_t content = sizes[i / 3], size;
		_cleanup_free_ char *data = pattern(content), *file = NULL;
		struct outcome outcome;
		uint64_t payload;

		file = sealed(data, content, pieces[i % 3], true, &size);
		assert_int_equal(size, kd_age_size(content, 1));
		assert_true(kd_age_payload_offset(file, size, &payload));
		assert_true(kd_age_may_be_whole(size - payload));
		outcome = decrypt(file, size);
		assert_no_error(outcome.err);
		assert_int_equal(outcome.state, KD_AGE_LAST);
		assert_int_equal(outcome.size, content);
		assert_memory_equal(outcome.content ? outcome.content : "", data, content);
		forget(&outcome);
	}
}

/* A file that was cut off gives its whole chunks, and only these. */
static void test_age_cut(void **state)
{
	_cleanup_free_ char *data = pattern(3 * KD_AGE_CHUNK), *file = NULL;
	uint64_t payload;
	size_t size;

	file = sealed(data, 3 * KD_AGE_CHUNK, 4096, true, &size);
	assert_true(kd_age_payload_offset(file, size, &payload));
	for (unsigned int chunks = 0; chunks < 3; chunks++) {
		uint64_t end = payload + chunks * (KD_AGE_CHUNK + KD_AGE_TAG);
		static const size_t more[] = { 0, 1, KD_AGE_TAG, KD_AGE_CHUNK, KD_AGE_CHUNK + KD_AGE_TAG - 1 };

		for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
			struct outcome outcome = decrypt(file, end + more[i]);

			assert_no_error(outcome.err);
			assert_int_equal(outcome.state, KD_AGE_CUT);
			assert_int_equal(outcome.size, chunks * KD_AGE_CHUNK);
			assert_int_equal(outcome.offset, end);
			forget(&outcome);
		}
	}
	free(file);
	/* Without the last chunk a full one is not written either: it could become the last. */
	file = sealed(data, 3 * KD_AGE_CHUNK, 4096, false, &size);
	assert_int_equal(size, payload + 2 * (KD_AGE_CHUNK + KD_AGE_TAG));
}

static void test_age_flipped(void **state)
{
	_cleanup_free_ char *data = pattern(3 * KD_AGE_CHUNK + 5), *file = NULL;
	struct outcome outcome;
	uint64_t payload;
	size_t size;
	char place[64];

	file = sealed(data, 3 * KD_AGE_CHUNK + 5, 4096, true, &size);
	assert_true(kd_age_payload_offset(file, size, &payload));
	file[payload + KD_AGE_CHUNK + KD_AGE_TAG + 77] ^= 4;
	outcome = decrypt(file, size);
	snprintf(place, sizeof(place), "chunk 1, at offset 0x%lx",
		 (unsigned long)(payload + KD_AGE_CHUNK + KD_AGE_TAG));
	assert_error(take_ptr(outcome.err), KD_ERR_FORMAT, place);
	assert_int_equal(outcome.size, KD_AGE_CHUNK);
	forget(&outcome);
	file[payload + KD_AGE_CHUNK + KD_AGE_TAG + 77] ^= 4;
	file[size - 1] ^= 1;
	outcome = decrypt(file, size);
	assert_no_error(outcome.err);
	assert_int_equal(outcome.state, KD_AGE_CUT);
	forget(&outcome);
}

/* Chunks that have changed their places, and what was put behind the last one. */
static void test_age_order(void **state)
{
	const size_t chunk = KD_AGE_CHUNK + KD_AGE_TAG;
	_cleanup_free_ char *data = pattern(3 * KD_AGE_CHUNK), *file = NULL, *changed = NULL;
	struct outcome outcome;
	uint64_t payload;
	size_t size;

	file = sealed(data, 3 * KD_AGE_CHUNK, 4096, true, &size);
	assert_true(kd_age_payload_offset(file, size, &payload));
	changed = malloc(size + chunk);
	memcpy(changed, file, size);
	memcpy(changed + payload, file + payload + chunk, chunk);
	memcpy(changed + payload + chunk, file + payload, chunk);
	outcome = decrypt(changed, size);
	assert_error(take_ptr(outcome.err), KD_ERR_FORMAT, "chunk 0, at offset");
	forget(&outcome);
	memcpy(changed, file, size);
	memcpy(changed + size, file + payload, chunk);
	outcome = decrypt(changed, size + chunk);
	assert_error(take_ptr(outcome.err), KD_ERR_FORMAT, "something follows its last chunk");
	forget(&outcome);
}

/* Two files of the same content have nothing in common but the words of the header. */
static void test_age_fresh(void **state)
{
	_cleanup_free_ char *data = pattern(64), *one = NULL, *other = NULL;
	size_t size, other_size, same = 0;
	uint64_t payload;

	one = sealed(data, 64, 64, true, &size);
	other = sealed(data, 64, 64, true, &other_size);
	assert_int_equal(size, other_size);
	assert_true(kd_age_payload_offset(one, size, &payload));
	assert_memory_not_equal(one + payload - 16, other + payload - 16, 16);
	for (size_t i = payload; i < size; i++)
		same += one[i] == other[i];
	assert_true(same < 10);
	assert_memory_not_equal(strstr(one, "X25519"), strstr(other, "X25519"), 50);
}

/* After a failure nothing may be sealed under a number that has been used. */
static void test_age_broken(void **state)
{
	_cleanup_(kd_age_writer_free) struct kd_age_writer *writer = NULL;
	_cleanup_free_ char *data = pattern(2 * KD_AGE_CHUNK);
	struct kd_age_recipient recipient;
	int pipe_fd[2];

	assert_return_code(pipe(pipe_fd), 0);
	signal(SIGPIPE, SIG_IGN);
	assert_no_error(kd_age_recipient_parse(RECIPIENT, &recipient));
	assert_no_error(kd_age_begin(pipe_fd[1], "pipe", &recipient, 1, &writer));
	close(pipe_fd[0]);
	assert_error(kd_age_write(writer, data, 2 * KD_AGE_CHUNK), KD_ERR_OS, "cannot write pipe");
	assert_error(kd_age_write(writer, data, 1), KD_ERR_STATE, "nothing more");
	assert_error(kd_age_finish(writer), KD_ERR_STATE, "nothing more");
	close(pipe_fd[1]);
}

/* Headers that nobody writes. */
static void test_age_header(void **state)
{
	static const char *const bad[] = {
		"age-encryption.org/v2\n",
		"age-encryption.org/v1\n",
		"age-encryption.org/v1\n--- pEZzujwU8Mt1kO1FBVwucCJXMzpeeO8WUpZ+mrLwtq8\n",
		"age-encryption.org/v1\n-> X25519\n\n--- pEZzujwU8Mt1kO1FBVwucCJXMzpeeO8WUpZ+mrLwtq8",
		"age-encryption.org/v1\n-> \n\n--- pEZzujwU8Mt1kO1FBVwucCJXMzpeeO8WUpZ+mrLwtq8\n",
		"age-encryption.org/v1\n-> a  b\n\n--- pEZzujwU8Mt1kO1FBVwucCJXMzpeeO8WUpZ+mrLwtq8\n",
		"age-encryption.org/v1\n-> a\n=\n--- pEZzujwU8Mt1kO1FBVwucCJXMzpeeO8WUpZ+mrLwtq8\n",
	};
	uint64_t payload;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct outcome outcome = decrypt(bad[i], strlen(bad[i]));

		assert_error(take_ptr(outcome.err), KD_ERR_FORMAT, "file is");
		assert_false(kd_age_payload_offset(bad[i], strlen(bad[i]), &payload));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_age_recipient), cmocka_unit_test(test_age_identity),
		cmocka_unit_test(test_age_vectors),   cmocka_unit_test(test_age_of_others),
		cmocka_unit_test(test_age_damage),    cmocka_unit_test(test_age_sizes),
		cmocka_unit_test(test_age_cut),       cmocka_unit_test(test_age_flipped),
		cmocka_unit_test(test_age_order),     cmocka_unit_test(test_age_fresh),
		cmocka_unit_test(test_age_broken),    cmocka_unit_test(test_age_header),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
