/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is saved if the plan names recipients: no plain byte of it is on the target. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/klog.h"
#include "capture/clock.h"
#include "capture/dump.h"
#include "capture/report.h"
#include "capture/save.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "tests/unit/dumpfilter/dumpfilter-testing.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

#define SECRET   "the secret of this machine"
#define IDENTITY "AGE-SECRET-KEY-1XU58833YMEJAGG0GH7F68YMYZ3ZDPFXV43EJZ65DP02PPRWLE20QP889DG"

static char directory[TEMPORARY_SIZE];
static int dir;
static struct encryption encryption;

static int set_up(void **state)
{
	static char *recipient[] = { (char *)"age1f8nslzszklq85g4f5xl5f72x30v27nt67cgczfpwx7dgxt6x79es073kw7" };
	const struct kd_plan_encryption plan = { .recipient = recipient, .count = 1 };

	temporary_make(directory);
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	encryption_init(&plan, &encryption);
	assert_null(encryption.problem);
	assert_no_error(encryption_wait());
	encryption.random = true;
	return 0;
}

static int tear_down(void **state)
{
	kd_error_destroy(encryption.problem);
	close(dir);
	temporary_remove(directory);
	return 0;
}

static const char *path_of(const char *name)
{
	static char path[2][TEMPORARY_SIZE + 256];
	static unsigned int next;
	char *ret = path[next++ % 2];

	snprintf(ret, sizeof(path[0]), "%s/%s", directory, name);
	return ret;
}

static bool exists(const char *name)
{
	return faccessat(dir, name, F_OK, 0) == 0;
}

/* Is @text in any file of the directory, but for those of the test itself? */
static bool is_readable(const char *text)
{
	_cleanup_closedir_ DIR *entries = opendir(directory);
	struct dirent *entry;
	bool found = false;

	while ((entry = readdir(entries))) {
		_cleanup_free_ char *content = NULL;
		size_t size;

		if (entry->d_name[0] == '.' || strncmp(entry->d_name, "test-", 5) == 0)
			continue;
		assert_no_error(kd_read_file(path_of(entry->d_name), 64 << 20, &content, &size));
		found = found || memmem(content, size, text, strlen(text));
	}
	return found;
}

/* The content of file @name as far as it can be decrypted, in the file "test-plain". */
static enum kd_age_state decrypt(const char *name)
{
	_cleanup_close_ int in = open(path_of(name), O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int out = open(path_of("test-plain"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	_cleanup_(kd_age_reader_free) struct kd_age_reader *reader = NULL;
	enum kd_age_state state = KD_AGE_MORE;
	struct kd_age_identity identity;

	assert_true(in >= 0 && out >= 0);
	assert_no_error(kd_age_identity_parse(IDENTITY, &identity));
	assert_no_error(kd_age_open(in, name, &identity, 1, &reader));
	while (state == KD_AGE_MORE) {
		const uint8_t *data;
		size_t size;

		assert_no_error(kd_age_read(reader, &data, &size, &state));
		assert_return_code(kd_write_all(out, data, size), 0);
	}
	return state;
}

static void assert_plain(const char *expected)
{
	_cleanup_free_ char *text = NULL;

	assert_no_error(kd_read_file(path_of("test-plain"), 1 << 20, &text, NULL));
	assert_string_equal(text, expected);
}

/* --- texts -------------------------------------------------------------------------------------------------------- */

static struct kd_error *fill(FILE *out, void *arg)
{
	fputs(SECRET "\n", out);
	return arg ? kd_error_create(KD_ERR_FORMAT, "it broke off") : NULL;
}

static void test_a_text(void **state)
{
	struct stat st;

	assert_no_error(save_file(dir, &encryption, "x-incomplete", "x", fill, NULL));
	assert_false(exists("x") || exists("x-incomplete") || exists("x-incomplete.age"));
	assert_int_equal(fstatat(dir, "x.age", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_false(is_readable(SECRET));
	assert_int_equal(decrypt("x.age"), KD_AGE_LAST);
	assert_plain(SECRET "\n");
}

/* What came before an error is not lost. */
static void test_a_text_that_breaks_off(void **state)
{
	assert_error(save_file(dir, &encryption, "x-incomplete", "x", fill, (void *)1), KD_ERR_FORMAT, "broke off");
	assert_false(exists("x.age"));
	assert_int_equal(decrypt("x-incomplete.age"), KD_AGE_LAST);
	assert_plain(SECRET "\n");
}

static void test_a_text_on_a_full_disk(void **state)
{
	static char large[1 << 20];
	struct rlimit before, limit;
	struct kd_error *err;

	memset(large, 'x', sizeof(large));
	getrlimit(RLIMIT_FSIZE, &before);
	limit = (struct rlimit){ 100000, before.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	_cleanup_close_ int fd = openat(dir, "y.age", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_(kd_age_writer_free) struct kd_age_writer *writer = NULL;
	assert_no_error(encryption_begin(&encryption, fd, "y.age", &writer));
	FILE *out = encryption_stream(writer);
	errno = 0;
	assert_true(fwrite(large, 1, sizeof(large), out) < sizeof(large));
	assert_int_equal(errno, EFBIG);
	fclose(out);
	err = kd_age_finish(writer);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_error(err, KD_ERR_STATE, "nothing more");
	assert_int_equal(decrypt("y.age"), KD_AGE_CUT);
}

/* Where nothing can be encrypted nothing is saved. */
static void test_without_random_numbers(void **state)
{
	encryption.random = false;
	assert_error(save_file(dir, &encryption, "x-incomplete", "x", fill, NULL), KD_ERR_STATE, "no random numbers");
	assert_false(is_readable(SECRET));
}

static void test_a_recipient_that_is_none(void **state)
{
	static char *recipient[] = { (char *)"age1something" };
	const struct kd_plan_encryption plan = { .recipient = recipient, .count = 1 };

	encryption_init(&plan, &encryption);
	encryption.random = true;
	assert_true(encryption.wanted);
	assert_error(save_file(dir, &encryption, "x-incomplete", "x", fill, NULL), KD_ERR_STATE,
		     "not saved, because it cannot be encrypted");
	assert_false(is_readable(SECRET));
}

/* --- dumps -------------------------------------------------------------------------------------------------------- */

static struct kd_error *dump(enum kd_collector_kind kind, char **argv, struct dump_result *result)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { .fd = -1 };
	const struct kd_plan_collector collector = { kind, (char *)"", argv };
	const struct disks disks = { 0 };
	struct memory_use memory = { 0 };
	struct dump_request request = { .vmcore = path_of("test-vmcore"),
					.dir = dir,
					.collector = &collector,
					.encryption = &encryption,
					.console = -1,
					.deadline = clock_ms() + 30000,
					.stall_ms = 10000,
					.root = &root,
					.disks = &disks,
					.memory = &memory };

	assert_no_error(kd_sysroot_open(NULL, &root));
	return dump_save(&request, result);
}

static struct kd_error *dump_built_in(const char *level, struct dump_result *result)
{
	char *argv[] = { (char *)"dumpfilter", (char *)"-d", (char *)level, NULL };

	return dump(KD_COLLECTOR_BUILT_IN, argv, result);
}

/* A vmcore with the secret in a page of the kernel, and noise. */
static void make_vmcore(uint64_t noise)
{
	struct machine machine;

	machine_init(&machine, 4);
	for (uint64_t pfn = 2100; pfn < 2100 + noise; pfn++) {
		machine_put(&machine, machine_page(pfn), 0, 8);
		for (uint64_t at = pfn * 4096; at < (pfn + 1) * 4096; at += 8)
			machine_put(&machine, at, at * UINT64_C(0x9e3779b97f4a7c15), 8);
	}
	for (size_t i = 0; i < strlen(SECRET); i++)
		machine_put(&machine, UINT64_C(2099) * 4096 + i, (uint8_t)SECRET[i], 1);
	machine_put(&machine, machine_page(2099), 0, 8);
	machine_write(&machine, path_of("test-vmcore"));
	machine_release(&machine);
}

/* What is in "test-plain" becomes the ordinary dump "test-dump". */
static void rearrange(bool whole)
{
	_cleanup_close_ int fd = open(path_of("test-plain"), O_RDONLY | O_CLOEXEC);
	struct kd_error *err;

	unlinkat(dir, "test-dump", 0);
	err = dumpfilter_rearrange(fd, path_of("test-dump"), false);
	if (whole)
		assert_no_error(err);
	else
		assert_error(err, KD_ERR_FORMAT, "cut off");
}

static bool dump_has_secret(bool *incomplete)
{
	char text[sizeof(SECRET)] = "";
	struct vmcore *vmcore;
	struct kd_error *err;

	assert_no_error(vmcore_open(path_of("test-dump"), &vmcore));
	*incomplete = vmcore_origin(vmcore)->incomplete;
	err = vmcore_read(vmcore, UINT64_C(2099) * 4096, text, strlen(SECRET));
	vmcore_close(vmcore);
	return !kd_error_discard(err) && strcmp(text, SECRET) == 0;
}

static void test_a_dump(void **state)
{
	struct dump_result result;
	struct stat st;
	bool incomplete;

	make_vmcore(100);
	assert_no_error(dump_built_in("31", &result));
	assert_true(result.complete && result.count == 1);
	assert_false(exists("vmcore") || exists("vmcore-incomplete.flat.age"));
	assert_int_equal(fstatat(dir, "vmcore.flat.age", &st, 0), 0);
	assert_int_equal(result.attempt[0].size, st.st_size);
	assert_int_equal(decrypt("vmcore.flat.age"), KD_AGE_LAST);
	rearrange(true);
	assert_true(dump_has_secret(&incomplete));
	assert_false(incomplete);
}

/* In a file without compression it would be seen, so this test can fail. */
static void test_no_plain_byte(void **state)
{
	char *argv[] = { (char *)"dumpfilter", (char *)"--uncompressed", NULL };
	struct dump_result result;
	const struct encryption none = { 0 }, wanted = encryption;

	make_vmcore(100);
	assert_no_error(dump(KD_COLLECTOR_BUILT_IN, argv, &result));
	assert_true(exists("vmcore.flat.age"));
	assert_false(is_readable(SECRET));
	encryption = none;
	assert_no_error(dump(KD_COLLECTOR_BUILT_IN, argv, &result));
	encryption = wanted;
	assert_true(is_readable(SECRET));
}

/* The disk is full: what is there can be decrypted up to its last whole chunk, and opens as an incomplete dump. */
static void test_a_dump_on_a_full_disk(void **state)
{
	struct rlimit before, limit;
	struct dump_result result;
	struct kd_error *err;
	bool incomplete;

	make_vmcore(2000);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = (struct rlimit){ 4 << 20, before.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	err = dump_built_in("31", &result);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_non_null(err);
	assert_int_equal(err->errnum, EFBIG);
	kd_error_destroy(err);
	assert_int_equal(decrypt("vmcore-incomplete.flat.age"), KD_AGE_CUT);
	rearrange(false);
	dump_has_secret(&incomplete);
	assert_true(incomplete);
}

/* --- programs ----------------------------------------------------------------------------------------------------- */

static void make_program(const char *text)
{
	_cleanup_free_ char *script = NULL;

	assert_true(asprintf(&script, "#!/bin/sh\n%s\n", text) > 0);
	assert_no_error(kd_write_file_atomic(path_of("test-program"), script, strlen(script), 0700));
}

static void test_a_program(void **state)
{
	char *argv[] = { (char *)path_of("test-program"), (char *)"-l", NULL };
	struct dump_result result;

	make_vmcore(1);
	make_program("[ \"$1 $2 $#\" = '-F -l 3' ] && echo '" SECRET "'");
	assert_no_error(dump(KD_COLLECTOR_PROGRAM, argv, &result));
	assert_int_equal(decrypt("vmcore.flat.age"), KD_AGE_LAST);
	assert_plain(SECRET "\n");
	assert_false(is_readable(SECRET));
}

/* A collector that fails leaves a file without a last chunk, and the next way is tried. */
static void test_a_program_that_fails(void **state)
{
	char *argv[] = { (char *)path_of("test-program"), NULL };
	struct dump_result result;
	bool incomplete;

	make_vmcore(10);
	make_program("head -c 300000 /dev/zero; exit 7");
	assert_no_error(dump(KD_COLLECTOR_PROGRAM, argv, &result));
	assert_int_equal(result.count, 2);
	assert_non_null(strstr(result.attempt[0].error, "exit status 7"));
	assert_int_equal(result.attempt[1].rung, RUNG_FILTER);
	assert_int_equal(decrypt("vmcore.flat.age"), KD_AGE_LAST);
	rearrange(true);
	assert_true(dump_has_secret(&incomplete));
	assert_false(exists("vmcore-incomplete.flat.age"));
}

/* The last way of all, a plain copy, ends in the same bytes. */
static void test_a_copy(void **state)
{
	char *argv[] = { (char *)"false", NULL };
	_cleanup_free_ char *data = calloc(1, 3 << 20), *copied = NULL;
	struct dump_result result;
	size_t size;

	memcpy(data, SECRET, strlen(SECRET));
	memcpy(data + (2 << 20) + 5000, SECRET, strlen(SECRET));
	assert_no_error(kd_write_file_atomic(path_of("test-vmcore"), data, 3 << 20, 0600));
	assert_no_error(dump(KD_COLLECTOR_PROGRAM, argv, &result));
	assert_int_equal(result.attempt[result.kept].rung, RUNG_COPY);
	assert_int_equal(decrypt("vmcore.flat.age"), KD_AGE_LAST);
	rearrange(true);
	assert_no_error(kd_read_file(path_of("test-dump"), 4 << 20, &copied, &size));
	assert_int_equal(size, 3 << 20);
	assert_memory_equal(copied, data, 3 << 20);
	assert_false(is_readable(SECRET));
}

/* --- what everybody may read -------------------------------------------------------------------------------------- */

static char *public_report(unsigned int public)
{
	struct kd_plan plan = { .host = (char *)"the-host", .encryption = { .public = public } };
	struct crash_facts crash = { .panic = "the-reason",
				     .identity = { .release = "the-release", .build_id = "ab" } };
	struct report report = { .plan = &plan, .crash = &crash, .result = CAPTURE_COMPLETE };
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	report.memory.peak = 12345;
	report_write_public(out, &report);
	fclose(out);
	return text;
}

static void test_the_public_report(void **state)
{
	static const struct {
		unsigned int public;
		const char *text;
	} words[] = { { KD_PUBLIC_HOST, "the-host" },
		      { KD_PUBLIC_KERNEL, "the-release" },
		      { KD_PUBLIC_REASON, "the-reason" },
		      { KD_PUBLIC_MEMORY, "12345" } };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		_cleanup_free_ char *text = public_report(words[i].public);

		assert_non_null(strstr(text, "\"result\": \"complete\""));
		for (size_t k = 0; k < ARRAY_SIZE(words); k++)
			assert_int_equal(strstr(text, words[k].text) != NULL, i == k);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_text),
		TEST(test_a_text_that_breaks_off),
		TEST(test_a_text_on_a_full_disk),
		TEST(test_without_random_numbers),
		TEST(test_a_recipient_that_is_none),
		TEST(test_a_dump),
		TEST(test_no_plain_byte),
		TEST(test_a_dump_on_a_full_disk),
		TEST(test_a_program),
		TEST(test_a_program_that_fails),
		TEST(test_a_copy),
		TEST(test_the_public_report),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
