/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/cli/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/io.h"

/* /run/lock is world-writable on Debian. A link, or a file of another user, who could keep it locked for ever, is
 * removed. The kernel refuses to open one with EACCES or ELOOP. */
static bool is_ours(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid();
}

static struct kd_error *open_lock_file(const char *path, int *fd_ret)
{
	const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	_cleanup_close_ int fd = open(path, flags, 0600);

	if (!is_ours(fd) && unlink(path) == 0) {
		if (fd >= 0)
			close(fd);
		fd = open(path, flags, 0600);
	}
	if (fd < 0)
		return kd_error_os(errno, "cannot open the lock file %s", path);
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

struct kd_error *lock_take(const struct kd_sysroot *root, const struct kd_log *log, int *fd_ret)
{
	_cleanup_free_ char *path = kd_sysroot_path(root, LOCK_PATH), *dir = kd_sysroot_path(root, "/run/lock");
	_cleanup_close_ int fd = -1;
	struct kd_error *err;

	if (!path || !dir)
		return kd_error_nomem();
	err = kd_mkdir_p(dir, 0755);
	if (!err)
		err = open_lock_file(path, &fd);
	if (err)
		return err;
	if (flock_retry(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return kd_error_os(errno, "cannot lock %s", path);
		kd_info(log, "Another app is currently holding the kdump lock; waiting for it to exit...");
		if (flock_retry(fd, LOCK_EX) < 0)
			return kd_error_os(errno, "cannot lock %s", path);
	}
	*fd_ret = take_fd(fd);
	return NULL;
}
