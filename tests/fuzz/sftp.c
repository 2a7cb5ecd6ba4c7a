/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answers of a hostile sftp server. Whatever they are, each call ends and returns no more than it was asked for,
 * and once the server counts as lost it stays lost. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "capture/remote/sftp.h"
#include "tests/fuzz/fuzz.h"

enum { ANSWERS_MAX = 60000 /* as much as a pipe takes */, PATIENCE_MS = 1000, ROUNDS = 4 };

static int count_name(void *arg, const char *name)
{
	REQUIRE(*name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
	return ++*(unsigned int *)arg > ANSWERS_MAX ? -EOVERFLOW : 0;
}

static void use(struct remote *remote)
{
	const struct remote_ops *ops = remote->ops;
	struct remote_attributes attributes;
	struct remote_space space;
	unsigned char data[50000];
	unsigned int names = 0;
	int file = ops->open(remote, "/file", REMOTE_READ | REMOTE_WRITE | REMOTE_CREATE, 0600);
	ssize_t got;

	REQUIRE(ops->stat(remote, "/file", &attributes) <= 0);
	REQUIRE(ops->list(remote, "/", count_name, &names) <= 0);
	REQUIRE(ops->space(remote, &space) <= 0);
	REQUIRE(ops->rename(remote, "/file", "/name") <= 0);
	if (file < 0)
		return;
	memset(data, 0x5a, sizeof(data));
	REQUIRE(ops->write(remote, file, data, sizeof(data), 0) <= 0);
	got = ops->read(remote, file, data, sizeof(data), 0);
	REQUIRE(got <= (ssize_t)sizeof(data));
	REQUIRE(ops->sync(remote, file) <= 0);
	ops->close(remote, file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct remote *remote = NULL;
	int ends[2], out = open("/dev/null", O_WRONLY | O_CLOEXEC);

	signal(SIGPIPE, SIG_IGN);
	REQUIRE(out >= 0 && pipe2(ends, O_CLOEXEC) == 0);
	size = size < ANSWERS_MAX ? size : ANSWERS_MAX;
	REQUIRE(write(ends[1], data, size) == (ssize_t)size);
	close(ends[1]);
	if (fuzz_error(sftp_open(ends[0], out, "/dumps", PATIENCE_MS, &remote)))
		return 0;
	for (unsigned int i = 0; i < ROUNDS && !remote->ops->is_lost(remote); i++)
		use(remote);
	if (remote->ops->is_lost(remote))
		REQUIRE(remote->ops->unlink(remote, "/file") == -ENOTCONN);
	sftp_close(remote);
	return 0;
}
