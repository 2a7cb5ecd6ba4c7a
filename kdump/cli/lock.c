/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/cli/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

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

struct kd_error *lock_take(const struct kd_sysroot *root, const struct kd_log *log, int *fd_ret)
{
	_cleanup_close_ int fd = -1;
	struct kd_error *err = open_lock_file(root, &fd);

	if (err)
		return err;
	if (flock_retry(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return kd_error_os(errno, "cannot lock %s%s", root->prefix, LOCK_PATH);
		kd_info(log, "Another app is currently holding the kdump lock; waiting for it to exit...");
		if (flock_retry(fd, LOCK_EX) < 0)
			return kd_error_os(errno, "cannot lock %s%s", root->prefix, LOCK_PATH);
	}
	*fd_ret = take_fd(fd);
	return NULL;
}
