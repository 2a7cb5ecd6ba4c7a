/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/remote/ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "capture/clock.h"
#include "capture/remote/fuse.h"
#include "capture/remote/sftp.h"

enum {
	OPTIONS_MAX = 32,
	PATIENCE_MS = 60 * 1000, /* with a server that answers nothing; ssh itself gives up after 45 s of silence */
};

/* Nobody is there to answer a question, and a host key that is not known is not the server that was meant. */
static const char *const always[] = {
	"BatchMode=yes",     "StrictHostKeyChecking=yes", "IdentitiesOnly=yes",
	"ConnectTimeout=20", "ServerAliveInterval=15",    "ServerAliveCountMax=3",
};

/* ssh(1) wants to know who runs it. */
static void make_passwd(void)
{
	static const char root[] = "root:x:0:0:root:/root:/bin/sh\n";
	_cleanup_close_ int fd = -1;

	mkdir("/etc", 0755);
	fd = open("/etc/passwd", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd >= 0)
		(void)!kd_write_all(fd, root, sizeof(root) - 1);
}

/* Become ssh. Its complaints go to the kernel's log, which is saved and shown on the console. */
static _Noreturn void become_ssh(const char *destination, char *options, int from, int to)
{
	const char *argv[2 * OPTIONS_MAX + 8];
	size_t count = 0, i;
	char *option;
	int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	setenv("HOME", "/root", 1);
	dup2(from, STDIN_FILENO);
	dup2(to, STDOUT_FILENO);
	if (log >= 0)
		dup2(log, STDERR_FILENO);
	argv[count++] = "ssh";
	for (i = 0; i < sizeof(always) / sizeof(*always); i++) {
		argv[count++] = "-o";
		argv[count++] = always[i];
	}
	while ((option = strsep(&options, ",")) && count < 2 * OPTIONS_MAX) {
		argv[count++] = "-o";
		argv[count++] = option;
	}
	argv[count++] = "-s";
	argv[count++] = "--";
	argv[count++] = destination;
	argv[count++] = "sftp";
	argv[count] = NULL;
	execvp(argv[0], (char *const *)argv);
	dprintf(STDERR_FILENO, "kdump: cannot run ssh: %m\n");
	_exit(127);
}

static struct kd_error *start_ssh(const char *destination, const char *options, int *in, int *out, pid_t *pid)
{
	_cleanup_free_ char *copy = strdup(options);
	int to[2], from[2];

	if (!copy)
		return kd_error_nomem();
	if (pipe2(to, O_CLOEXEC) < 0)
		return kd_error_os(errno, "cannot make a pipe");
	if (pipe2(from, O_CLOEXEC) < 0) {
		close(to[0]);
		close(to[1]);
		return kd_error_os(errno, "cannot make a pipe");
	}
	*pid = fork();
	if (*pid == 0)
		become_ssh(destination, copy, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	*in = from[0];
	*out = to[1];
	return *pid < 0 ? kd_error_os(errno, "cannot start ssh") : NULL;
}

/* What has become of ssh says more than that its pipe was closed. */
static struct kd_error *explain(struct kd_error *err, pid_t pid)
{
	int status;

	kill(pid, SIGTERM);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || !WEXITSTATUS(status))
		return err;
	kd_error_destroy(err);
	return kd_error_create(KD_ERR_STATE, "ssh ended with exit status %d; what it said is above",
			       WEXITSTATUS(status));
}

static struct kd_error *connect_once(const char *destination, const char *options, int patience_ms, struct remote **ret)
{
	int in = -1, out = -1;
	pid_t pid = -1;
	struct kd_error *err = start_ssh(destination, options, &in, &out, &pid);

	if (err) {
		close(in);
		close(out);
		return err;
	}
	/* "/" is the server's. */
	err = sftp_open(in, out, "", patience_ms, ret);
	return err ? explain(err, pid) : NULL;
}

/* A server that restarts refuses at first. Nothing announces that it answers, so it is asked again each second. */
static struct kd_error *connect_until(const char *destination, const char *options, int64_t deadline,
				      struct remote **ret)
{
	struct kd_error *err = NULL;

	do {
		int left = clock_timeout(deadline);

		kd_error_destroy(err);
		err = connect_once(destination, options, left < PATIENCE_MS ? left : PATIENCE_MS, ret);
	} while (err && clock_ms() + 1000 < deadline && usleep(1000 * 1000) == 0);
	return err;
}

/* Serve in a process of its own, which outlives the one that has connected. */
static struct kd_error *serve_apart(int fd, struct remote *remote)
{
	pid_t pid = fork();

	if (pid < 0)
		return kd_error_os(errno, "cannot start the server's file system");
	if (pid == 0) {
		struct kd_error *err;

		setsid();
		err = fuse_serve(fd, remote);
		if (err)
			dprintf(STDERR_FILENO, "kdump: %s\n", err->text);
		sftp_close(remote);
		_exit(err ? 1 : 0);
	}
	return NULL;
}

struct kd_error *ssh_mount(const char *destination, const char *options, const char *mount_point, int64_t deadline)
{
	struct remote *remote = NULL;
	_cleanup_close_ int fd = -1;
	struct kd_error *err;

	signal(SIGPIPE, SIG_IGN);
	make_passwd();
	err = connect_until(destination, options, deadline, &remote);
	if (!err)
		err = fuse_mount(mount_point, &fd);
	if (!err)
		err = serve_apart(fd, remote);
	sftp_close(remote);
	return err;
}
