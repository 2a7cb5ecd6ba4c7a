/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/remote/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "capture/clock.h"
#include "capture/remote/fuse.h"
#include "capture/remote/sftp.h"

enum {
	ROOM = 256 << 10,        /* for what is written, so that neither side waits for the other's turn */
	PATIENCE_MS = 60 * 1000, /* with a server that answers nothing; the programs give up after 45 s of silence */
};

/* Its complaints go to the kernel's log, which is saved and shown on the console. */
static _Noreturn void become(const char *const *argv, int connection)
{
	int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	setenv("HOME", "/root", 1);
	dup2(connection, STDIN_FILENO);
	dup2(connection, STDOUT_FILENO);
	if (log >= 0)
		dup2(log, STDERR_FILENO);
	execvp(argv[0], (char *const *)argv);
	dprintf(STDERR_FILENO, "kdump: cannot run %s: %m\n", argv[0]);
	_exit(127);
}

/* A socket and not two pipes: a pipe wakes its writer for each page that was read, a socket when most of it was. */
static struct kd_error *start(const char *const *argv, int *in, int *out, pid_t *pid)
{
	int end[2], room = ROOM;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end) < 0)
		return kd_error_os(errno, "cannot make a socket");
	*pid = fork();
	if (*pid == 0)
		become(argv, end[1]);
	close(end[1]);
	setsockopt(end[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)); /* less does as well, but slower */
	*in = end[0];
	*out = fcntl(end[0], F_DUPFD_CLOEXEC, 0);
	return *pid < 0 || *out < 0 ? kd_error_os(errno, "cannot start %s", argv[0]) : NULL;
}

/* What has become of the program says more than that its pipe was closed. */
static struct kd_error *explain(struct kd_error *err, const char *program, pid_t pid)
{
	const char *slash = strrchr(program, '/');
	int status;

	kill(pid, SIGTERM);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || !WEXITSTATUS(status))
		return err;
	kd_error_destroy(err);
	return kd_error_create(KD_ERR_STATE, "%s ended with exit status %d; what it said is above",
			       slash ? slash + 1 : program, WEXITSTATUS(status));
}

static struct kd_error *connect_once(const char *const *argv, int patience_ms, struct remote **ret)
{
	int in = -1, out = -1;
	pid_t pid = -1;
	struct kd_error *err = start(argv, &in, &out, &pid);

	if (err) {
		close(in);
		close(out);
		return err;
	}
	/* "/" is the server's. */
	err = sftp_open(in, out, "", patience_ms, ret);
	return err ? explain(err, argv[0], pid) : NULL;
}

/* A server that restarts refuses at first. Nothing announces that it answers, so it is asked again each second. */
static struct kd_error *connect_until(const char *const *argv, int64_t deadline, struct remote **ret)
{
	struct kd_error *err = NULL;

	do {
		int left = clock_timeout(deadline);

		kd_error_destroy(err);
		err = connect_once(argv, left < PATIENCE_MS ? left : PATIENCE_MS, ret);
	} while (err && clock_ms() + 1000 < deadline && usleep(1000 * 1000) == 0);
	return err;
}

struct kd_error *program_mount(const char *const *argv, const char *mount_point, int64_t deadline)
{
	struct remote *remote = NULL;
	_cleanup_close_ int fd = -1;
	struct kd_error *err;

	signal(SIGPIPE, SIG_IGN);
	err = connect_until(argv, deadline, &remote);
	if (!err)
		err = fuse_mount(mount_point, &fd);
	if (!err)
		err = fuse_serve_apart(fd, remote, sftp_close);
	sftp_close(remote);
	return err;
}
