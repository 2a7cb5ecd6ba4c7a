/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is sent to kdump-http, in front of a store that keeps nothing, and what it is told of its server. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/transfer/server.h"
#include "tests/fuzz/fuzz.h"

enum { REQUESTS_MAX = 60000 /* as much as a pipe takes */ };

/* --- a store ------------------------------------------------------------------------------------------------------ */

static unsigned int uploads; /* that are not freed */

static struct kd_error *make_directory(struct http *http, const char *path)
{
	REQUIRE(*path == '/');
	return NULL;
}

static struct kd_error *begin(struct http *http, const struct settings *settings, const char *path, struct upload **ret)
{
	REQUIRE(*path == '/');
	*ret = calloc(1, sizeof(**ret));
	REQUIRE(*ret);
	(*ret)->store = &store_dav;
	uploads++;
	return NULL;
}

static struct kd_error *take(struct upload *upload, uint64_t offset, const void *data, size_t size)
{
	const unsigned char *bytes = data;
	unsigned int sum = 0;

	REQUIRE(offset <= UINT64_MAX / 2);
	for (size_t i = 0; i < size; i++)
		sum += bytes[i];
	return sum % 251 == 250 ? kd_error_os(ENOSPC, "the server answers 507") : NULL;
}

static struct kd_error *finish(struct upload *upload, uint64_t size)
{
	return NULL;
}

static struct kd_error *commit(struct upload *upload, const char *path)
{
	REQUIRE(*path == '/');
	return NULL;
}

static struct kd_error *keep(struct upload *upload)
{
	return NULL;
}

static void drop(struct upload *upload)
{
}

static void release(struct upload *upload)
{
	uploads--;
	free(upload);
}

const struct store store_dav = { make_directory, begin, take, finish, commit, keep, drop, release, false };
const struct store store_s3 = { make_directory, begin, take, finish, commit, keep, drop, release, true };

struct kd_error *store_put(struct http *http, const char *path, const void *data, size_t size)
{
	REQUIRE(*path == '/');
	return take(NULL, 0, data, size);
}

struct kd_error *store_delete(struct http *http, const char *path)
{
	return NULL;
}

/* --- the target --------------------------------------------------------------------------------------------------- */

static void serve(const uint8_t *data, size_t size)
{
	const struct settings settings = { 0 };
	int ends[2], out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	FILE *nowhere = fopen("/dev/null", "we");
	struct kd_log log;

	REQUIRE(nowhere && out >= 0 && pipe2(ends, O_CLOEXEC) == 0);
	kd_log_init(&log, nowhere, NULL, KD_LOG_ERROR);
	size = size < REQUESTS_MAX ? size : REQUESTS_MAX;
	REQUIRE(write(ends[1], data, size) == (ssize_t)size);
	close(ends[1]);
	fuzz_error(server_run(ends[0], out, NULL, &settings, &log));
	REQUIRE(uploads == 0);
	close(ends[0]);
	close(out);
	fclose(nowhere);
}

/* "TYPE URL OPTIONS"; the credentials are the input itself. */
static void parse(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size), *options = NULL;
	char *rest = text, *type = strsep(&rest, " "), *url = rest ? strsep(&rest, " ") : NULL;
	_cleanup_(settings_free) struct settings settings = { 0 };

	if (!url || asprintf(&options, "%s,credentials=%s", rest ? rest : "", fuzz_file(data, size)) < 0)
		return;
	if (strstr(rest ? rest : "", "credentials=") || fuzz_error(settings_parse(type, url, options, &settings)))
		return;
	REQUIRE(settings.port && *settings.host && settings.address_count <= SETTINGS_ADDRESSES);
	REQUIRE(!settings.s3 || (settings.user && settings.password && settings.region));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	serve(data, size);
	parse(data, size);
	return 0;
}
