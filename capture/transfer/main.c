/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdump-http: a server of objects (HTTP, WebDAV, S3), as an sftp-server behind standard input and output. The capture
 * program runs it where it would run ssh(1) for a server of files; kdumpctl runs it with --check at start. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "capture/transfer/server.h"

static const char usage[] = "usage: kdump-http [--check NAME] http|s3 URL OPTIONS\n";

/* Write an object, and remove it if that is allowed. */
static struct kd_error *check(struct http *http, const char *name)
{
	static const char words[] = "kdump has tried whether it can write here.\n";
	_cleanup_free_ char *path = NULL;
	struct kd_error *err = kd_format(&path, "/%s", name);

	if (!err)
		err = store_put(http, path, words, sizeof(words) - 1);
	if (!err)
		kd_error_destroy(store_delete(http, path));
	return err;
}

/* A server that cannot be reached yet: whoever has started this program may start it again. */
static struct kd_error *reach(const struct settings *settings)
{
	_cleanup_(http_close) struct http *http = NULL;
	struct kd_error *err = http_open(settings, &http);

	return err ? err : http_reach(http);
}

static struct kd_error *run(const struct settings *settings, struct http *http, const struct kd_log *log)
{
	struct kd_error *err = reach(settings);

	return err ? err : server_run(STDIN_FILENO, STDOUT_FILENO, http, settings, log);
}

int main(int argc, char **argv)
{
	_cleanup_(settings_free) struct settings settings = { 0 };
	_cleanup_(http_close) struct http *http = NULL;
	const char *name = NULL;
	struct kd_error *err;
	struct kd_log log;

	kd_log_init(&log, stderr, "kdump-http", KD_LOG_INFO);
	if (argc == 6 && strcmp(argv[1], "--check") == 0) {
		name = argv[2];
		argv += 2;
		argc -= 2;
	}
	if (argc != 4) {
		fputs(usage, stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	err = settings_parse(argv[1], argv[2], argv[3], &settings);
	if (!err)
		err = http_open(&settings, &http);
	if (!err)
		err = name ? check(http, name) : run(&settings, http, &log);
	return kd_log_error(&log, err) ? 1 : 0;
}
