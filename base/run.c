/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/run.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"

extern char **environ;

static int start(const char *const *argv, bool errors, int output, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int result;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (errors)
		posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	result = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return result;
}

static struct kd_error *wait_for(pid_t pid, const char *name, int *status)
{
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return kd_error_os(errno, "cannot wait for %s", name);
	return NULL;
}

struct kd_error *kd_run(const char *const *argv, bool errors, char *text, size_t size, int *status)
{
	_cleanup_close_ int from = -1;
	char rest[4096];
	ssize_t got;
	int ends[2], result;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return kd_error_os(errno, "cannot make a pipe");
	from = ends[0];
	result = start(argv, errors, ends[1], &pid);
	close(ends[1]);
	if (result)
		return kd_error_os(result, "cannot run %s", argv[0]);
	got = kd_read_all(from, text, size - 1);
	text[got > 0 ? got : 0] = '\0';
	while (got > 0 && read(from, rest, sizeof(rest)) > 0)
		; /* read to the end, so that the program does not die of a closed pipe */
	return wait_for(pid, argv[0], status);
}

struct kd_error *kd_run_shown(const char *const *argv, bool to_errors, bool *ok)
{
	posix_spawn_file_actions_t actions;
	struct kd_error *err;
	int result, status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	if (to_errors)
		posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	result = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (result)
		return kd_error_os(result, "cannot run %s", argv[0]);
	err = wait_for(pid, argv[0], &status);
	if (!err)
		*ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return err;
}
