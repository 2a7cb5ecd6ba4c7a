/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/cli/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/trust.h"

/* The directory belongs to root, so nobody else can put a file there and hold it locked. A link at the lock's place
 * fails with ELOOP. */
static struct kd_error *open_lock_file(const struct kd_sysroot *root, int *fd_ret)
{
	_cleanup_close_ int directory = -1, fd = -1;
	struct kd_error *err = kd_record_directory(root, LOCK_PATH, &directory);

	if (err)
		return err;
	fd = openat(directory, strrchr(LOCK_PATH, '/') + 1, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return kd_error_os(errno, "cannot open the lock file %s%s", root->prefix, LOCK_PATH);
	err = kd_trust(LOCK_PATH, fd);
	if (err)
		return kd_error_wrap(err, "cannot take the lock; remove the file and try again");
	*fd_ret = take_fd(fd);
	return NULL;
}

static int flock_retry(int fd, int operation)
{
	int ret;

	do
		ret = flock(fd, operation);
	while (ret < 0 && errno == EINTR);
	return ret;
}

#define UNIT_WORD "unit"

/* Whoever holds the lock says in the file who it is: "PID unit" or "PID". flock(1) in a script writes nothing, so the
 * words may be those of a process that has ended. If they cannot be written, the next one prints a message more. */
static void sign(int fd, bool unit)
{
	if (ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0)
		dprintf(fd, "%d%s\n", getpid(), unit ? " " UNIT_WORD : "");
}

static bool is_held_by_unit(int fd)
{
	char text[40] = "", word[8];
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
	int pid;

	return length > 0 && sscanf(text, "%d %7s", &pid, word) == 2 && strcmp(word, UNIT_WORD) == 0 && pid > 0 &&
	       kill(pid, 0) == 0;
}

struct kd_error *lock_take(const struct kd_sysroot *root, const struct kd_log *log, bool unit, bool *waited,
			   int *fd_ret)
{
	_cleanup_close_ int fd = -1;
	struct kd_error *err = open_lock_file(root, &fd);

	if (err)
		return err;
	if (flock_retry(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return kd_error_os(errno, "cannot lock %s%s", root->prefix, LOCK_PATH);
		*waited = is_held_by_unit(fd);
		if (!*waited)
			kd_info(log, "Another app is currently holding the kdump lock; waiting for it to exit...");
		if (flock_retry(fd, LOCK_EX) < 0)
			return kd_error_os(errno, "cannot lock %s%s", root->prefix, LOCK_PATH);
	}
	sign(fd, unit);
	*fd_ret = take_fd(fd);
	return NULL;
}
