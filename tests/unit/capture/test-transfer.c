/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kdump-http computes: signatures, settings, flattened streams. tests/cases/objects has the whole program. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/io.h"
#include "base/text.h"
#include "capture/transfer/flat.h"
#include "capture/transfer/settings.h"
#include "capture/transfer/sign.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

/* Examples of Amazon's: docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
static void test_signatures(void **state)
{
	static const struct {
		const char *query, *signature;
	} cases[] = {
		{ "lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
		{ "max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
	};
	char hash[SIGN_HASH_SIZE];
	struct sign_request request = {
		.method = "GET",
		.host = "examplebucket.s3.amazonaws.com",
		.path = "/",
		.payload = hash,
		.key = "AKIAIOSFODNN7EXAMPLE",
		.secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		.region = "us-east-1",
		.time = 1369353600, /* 20130524T000000Z */
	};

	sign_hash("", 0, hash);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *value = NULL, *expected = NULL;

		request.query = cases[i].query;
		value = sign_authorization(&request);
		assert_no_error(
			kd_format(&expected,
				  "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
				  "SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=%s",
				  cases[i].signature));
		assert_string_equal(value, expected);
	}
}

static void test_token_is_signed(void **state)
{
	struct sign_request request = { "PUT", "h", "/k", "", SIGN_UNSIGNED, NULL, "key", "secret", "r", 0 };
	_cleanup_free_ char *without = sign_authorization(&request), *with = NULL;

	request.token = "token";
	with = sign_authorization(&request);
	assert_non_null(strstr(with, "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"));
	assert_string_not_equal(strstr(with, "Signature="), strstr(without, "Signature="));
}

/* --- settings ----------------------------------------------------------------------------------------------------- */

struct files {
	char directory[TEMPORARY_SIZE];
	char *credentials;
};

static int setup(void **state)
{
	struct files *files = calloc(1, sizeof(*files));

	temporary_make(files->directory);
	assert_no_error(kd_format(&files->credentials, "%s/credentials", files->directory));
	*state = files;
	return 0;
}

static int teardown(void **state)
{
	struct files *files = *state;

	temporary_remove(files->directory);
	free(files->credentials);
	free(files);
	return 0;
}

static struct kd_error *parse(const struct files *files, const char *credentials, const char *type, const char *url,
			      const char *options, struct settings *ret)
{
	_cleanup_free_ char *all = NULL;

	assert_no_error(kd_write_file_atomic(files->credentials, credentials, strlen(credentials), 0600));
	assert_no_error(kd_format(&all, "%s,credentials=%s", options, files->credentials));
	return settings_parse(type, url, all, ret);
}

static void test_settings(void **state)
{
	_cleanup_(settings_free) struct settings http = { 0 }, bearer = { 0 }, s3 = { 0 };

	assert_no_error(parse(*state, "user:pass:word\n", "http", "https://[2001:db8::1]:8443/a/b",
			      "address=2001:db8::1,address=192.0.2.1,ca=/ca", &http));
	assert_true(http.tls);
	assert_int_equal(http.port, 8443);
	assert_string_equal(http.host, "[2001:db8::1]");
	assert_int_equal(http.address_count, 2);
	assert_string_equal(http.user, "user");
	assert_string_equal(http.password, "pass:word");
	assert_no_error(parse(*state, "Bearer abc \n", "http", "http://server", "", &bearer));
	assert_int_equal(bearer.port, 80);
	assert_string_equal(bearer.token, "abc");
	assert_null(bearer.user);
	assert_no_error(parse(*state, "[default]\n aws_access_key_id=K:1\n# x\naws_secret_access_key = s=s\n", "s3",
			      "https://s3.example/bucket", "region=eu-1,ca=/ca", &s3));
	assert_int_equal(s3.port, 443);
	assert_string_equal(s3.user, "K:1");
	assert_string_equal(s3.password, "s=s");
	assert_null(s3.token);
}

static void test_bad_settings(void **state)
{
	static const struct {
		const char *type, *url, *options, *credentials, *error;
	} cases[] = {
		{ "ftp", "http://server", "", "a:b", "\"ftp\" is neither http nor s3" },
		{ "http", "ftp://server", "", "a:b", "does not begin with http:// or https://" },
		{ "http", "http:///dumps", "", "a:b", "does not name a host" },
		{ "http", "http://server/a?b", "", "a:b", "characters that a directory's URL cannot have" },
		{ "http", "http://user@server/a", "", "a:b", "characters that a directory's URL cannot have" },
		{ "http", "http://server/", "", "a:b", "characters that a directory's URL cannot have" },
		{ "http", "http://server:0/a", "", "a:b", "is not a host with a port" },
		{ "http", "http://server:65536/a", "", "a:b", "is not a host with a port" },
		{ "http", "http://:80/a", "", "a:b", "is not a host with a port" },
		{ "http", "https://server/a", "", "a:b", "needs the option ca=" },
		{ "http", "http://server/a", "colour=red", "a:b", "unknown option \"colour=red\"" },
		{ "http", "http://server/a", "", "nobody", "it has neither \"USER:PASSWORD\"" },
		{ "http", "http://server/a", "", ":empty", "it has neither \"USER:PASSWORD\"" },
		{ "s3", "http://server/a", "", "aws_access_key_id=a\naws_secret_access_key=b", "region=" },
		{ "s3", "http://server/a", "region=r", "aws_access_key_id=a\n", "it has no lines" },
		{ "http", "http://server/a",
		  "address=1,address=2,address=3,address=4,address=5,address=6,address=7,address=8,address=9", "a:b",
		  "more than 8 addresses" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct settings settings;

		assert_error(parse(*state, cases[i].credentials, cases[i].type, cases[i].url, cases[i].options,
				   &settings),
			     KD_ERR_FORMAT, cases[i].error);
	}
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

struct stream {
	unsigned char bytes[20000];
	size_t size;
};

static struct kd_error *append(void *arg, const void *data, size_t size)
{
	struct stream *stream = arg;

	assert_true(size <= sizeof(stream->bytes) - stream->size);
	memcpy(stream->bytes + stream->size, data, size);
	stream->size += size;
	return NULL;
}

static uint64_t number(const struct stream *stream, size_t at)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 8; i++)
		value = value << 8 | stream->bytes[at + i];
	return value;
}

/* Reserved zeros leave no record, the head comes last and as it was written last, and the file keeps its length. */
static void test_flat(void **state)
{
	static const unsigned char zeros[5000];
	static struct stream stream;
	static struct flat flat = { .send = append, .arg = &stream };
	size_t at = 4096;

	assert_no_error(flat_write(&flat, 0, "early", 5));
	assert_no_error(flat_write(&flat, 4000, zeros, sizeof(zeros)));
	assert_no_error(flat_write(&flat, 8192, "page", 4));
	assert_no_error(flat_write(&flat, 4094, "abcd", 4));
	assert_no_error(flat_write(&flat, 0, "final", 5));
	assert_no_error(flat_finish(&flat, 9000));
	assert_memory_equal(stream.bytes, "makedumpfile\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1", 32);
	assert_int_equal(number(&stream, at), 8192);
	assert_int_equal(number(&stream, at + 8), 4);
	assert_memory_equal(stream.bytes + at + 16, "page", 4);
	at += 20;
	assert_int_equal(number(&stream, at), 4096);
	assert_int_equal(number(&stream, at + 8), 2);
	assert_memory_equal(stream.bytes + at + 16, "cd", 2);
	at += 18;
	assert_int_equal(number(&stream, at), 8999);
	assert_int_equal(number(&stream, at + 8), 1);
	at += 17;
	assert_int_equal(number(&stream, at), 0);
	assert_int_equal(number(&stream, at + 8), 4096);
	assert_memory_equal(stream.bytes + at + 16, "final", 5);
	assert_memory_equal(stream.bytes + at + 16 + 4094, "ab", 2);
	at += 16 + 4096;
	assert_true(number(&stream, at) == UINT64_MAX && number(&stream, at + 8) == UINT64_MAX);
	assert_int_equal(stream.size, at + 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_token_is_signed),
		cmocka_unit_test_setup_teardown(test_settings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_settings, setup, teardown),
		cmocka_unit_test(test_flat),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
