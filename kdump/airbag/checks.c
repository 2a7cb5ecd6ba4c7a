/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/airbag/checks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sysroot.h"
#include "base/text.h"
#include "base/trust.h"

static int is_check(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && !kd_is_left_behind(entry->d_name);
}

/* Wait for the process and its children; those that are late are killed, since the next check must not wait for
 * them. */
static struct kd_error *wait_for(pid_t pid, const char *path, unsigned int seconds)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	bool late = fd >= 0 && poll(&poll_fd, 1, (int)seconds * 1000) == 0;
	int status;

	if (late)
		kill(-pid, SIGKILL);
	if (waitpid(pid, &status, 0) < 0)
		return kd_error_os(errno, "cannot wait for %s", path);
	if (late)
		return kd_error_create(KD_ERR_TIMEOUT, "%s did not end within %u seconds", path, seconds);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return NULL;
	return kd_error_create(KD_ERR_STATE, "%s failed (%s %d)", path, WIFEXITED(status) ? "exit status" : "signal",
			       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static struct kd_error *spawn(const char *path, pid_t *ret)
{
	static const char *const environment[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
						   NULL };
	const char *const argv[] = { path, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int errnum;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	errnum = posix_spawn(ret, path, &files, &attributes, (char *const *)argv, (char *const *)environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return errnum ? kd_error_os(errnum, "cannot run %s", path) : NULL;
}

/* The directory is root's alone, so that the file that is asked is the file that is run. */
static struct kd_error *run(int directory, const char *name, const char *path, unsigned int seconds,
			    const struct kd_log *log)
{
	_cleanup_close_ int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct kd_error *err;
	struct stat st;
	pid_t pid;

	if (fd < 0 || fstat(fd, &st) < 0)
		return kd_error_os(errno, "cannot open %s", path);
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return NULL;
	err = kd_trust(path, fd);
	if (!err)
		err = spawn(path, &pid);
	if (!err)
		err = wait_for(pid, path, seconds);
	if (!err)
		kd_info(log, "%s: passed", path);
	return err;
}

struct kd_error *checks_run(const char *directory, unsigned int seconds, const struct kd_log *log)
{
	_cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **entry = NULL;
	struct kd_error *err;
	int count, i;

	if (fd < 0)
		return errno == ENOENT ? NULL : kd_error_os(errno, "cannot open %s", directory);
	err = kd_trust(directory, fd);
	if (err)
		return err;
	count = scandir(directory, &entry, is_check, alphasort);
	if (count < 0)
		return kd_error_os(errno, "cannot read %s", directory);
	for (i = 0; i < count; i++) {
		_cleanup_free_ char *path = NULL;

		if (!err)
			err = kd_format(&path, "%s/%s", directory, entry[i]->d_name);
		if (!err)
			err = run(fd, entry[i]->d_name, path, seconds, log);
		free(entry[i]);
	}
	free(entry);
	return err;
}
