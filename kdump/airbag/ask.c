/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/airbag/ask.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/parse.h"

enum { ANSWER_SECONDS = 10 };

/* -1: nobody listens. */
static int call(const char *name)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(name);

	if (fd < 0)
		return -1;
	memcpy(address.sun_path + 1, name, length);
	if (connect(fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + 1 + length) < 0)
		return -1;
	return take_fd(fd);
}

static struct kd_error *check_peer(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return kd_error_os(errno, "cannot tell who holds the deadman's socket");
	if (peer.uid != 0 && peer.uid != geteuid())
		return kd_error_create(KD_ERR_STATE, "process %d of user %u holds the deadman's socket, not root",
				       peer.pid, peer.uid);
	return NULL;
}

/* *found is false if nobody listens. */
static struct kd_error *ask(const char *name, const char *request, char answer[AIRBAG_TEXT_MAX], bool *found)
{
	static const struct timeval timeout = { .tv_sec = ANSWER_SECONDS };
	_cleanup_close_ int fd = call(name);
	struct kd_error *err;
	ssize_t size;

	*found = fd >= 0;
	if (fd < 0)
		return NULL;
	err = check_peer(fd);
	if (err)
		return err;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		return kd_error_os(errno, "cannot ask the deadman");
	size = recv(fd, answer, AIRBAG_TEXT_MAX - 1, 0);
	if (size == 0 && geteuid() != 0)
		return kd_error_create(KD_ERR_UNSUPPORTED, "the deadman answers root alone");
	if (size <= 0)
		return kd_error_os(size < 0 ? errno : EPIPE, "the deadman does not answer");
	answer[size] = '\0';
	return NULL;
}

/* "pending SECONDS armed|firmware WATCHDOGS" */
static struct kd_error *parse(char *answer, struct airbag_status *ret)
{
	struct airbag_status status = { .pending = true, .told = true };
	char *cursor = answer, *word = strsep(&cursor, " "), *seconds = strsep(&cursor, " "),
	     *way = strsep(&cursor, " ");

	if (strcmp(word, "pending") != 0 || !seconds || !kd_parse_u64(seconds, 10, &status.left) || !way)
		return kd_error_create(KD_ERR_FORMAT, "the deadman's answer cannot be understood: %s", word);
	status.armed = strcmp(way, "armed") == 0;
	snprintf(status.watchdogs, sizeof(status.watchdogs), "%s", cursor ? cursor : "");
	*ret = status;
	return NULL;
}

struct kd_error *airbag_status_of(const char *name, struct airbag_status *ret)
{
	char answer[AIRBAG_TEXT_MAX];
	bool found;
	struct kd_error *err = ask(name, "status", answer, &found);

	if (err && err->code == KD_ERR_UNSUPPORTED) {
		kd_error_destroy(err);
		*ret = (struct airbag_status){ .pending = true };
		return NULL;
	}
	if (err)
		return err;
	if (found)
		return parse(answer, ret);
	*ret = (struct airbag_status){ 0 };
	return NULL;
}

struct kd_error *airbag_status(struct airbag_status *ret)
{
	return airbag_status_of(AIRBAG_SOCKET, ret);
}

struct kd_error *airbag_commit_of(const char *name)
{
	char answer[AIRBAG_TEXT_MAX];
	bool found;
	struct kd_error *err = ask(name, "commit", answer, &found);

	if (!err && !found)
		return kd_error_create(KD_ERR_STATE, "no process watches the deadline of a trial");
	if (!err && strcmp(answer, "committed") != 0)
		return kd_error_create(KD_ERR_FORMAT, "the deadman's answer cannot be understood: %s", answer);
	return err;
}

struct kd_error *airbag_commit(void)
{
	return airbag_commit_of(AIRBAG_SOCKET);
}
