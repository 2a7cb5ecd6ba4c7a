/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/trust.h"

#define RECORD_MAX KD_MIB(16)

/* The remedy is the same for whatever is not root's: it cannot be repaired, since what it says may be forged. */
static struct kd_error *refuse(struct kd_error *err, const char *path)
{
	if (!err || err->code != KD_ERR_STATE)
		return err;
	return kd_error_wrap(err, "%s is not used, since somebody else can have made it: remove it and try again",
			     path);
}

/* Open the directory that holds @path. */
static struct kd_error *open_directory(const struct kd_sysroot *root, const char *path, int *fd_ret)
{
	_cleanup_free_ char *directory = strndup(path, strrchr(path, '/') - path);
	_cleanup_close_ int fd = -1;
	struct kd_error *err;

	if (!directory)
		return kd_error_nomem();
	fd = kd_sysroot_open_file(root, directory, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return kd_error_os(errno, "cannot open %s%s", root->prefix, directory);
	err = refuse(kd_trust(directory, fd), directory);
	if (!err)
		*fd_ret = take_fd(fd);
	return err;
}

struct kd_error *kd_record_directory(const struct kd_sysroot *root, const char *path, int *fd_ret)
{
	_cleanup_free_ char *full = kd_sysroot_path(root, path);
	struct kd_error *err;

	if (!full)
		return kd_error_nomem();
	*strrchr(full, '/') = '\0';
	err = kd_mkdir_p(full, 0755);
	return err ? err : open_directory(root, path, fd_ret);
}

struct kd_error *kd_record_open(const struct kd_sysroot *root, const char *path, int *fd_ret)
{
	_cleanup_close_ int directory = -1, fd = -1;
	struct kd_error *err = open_directory(root, path, &directory);
	struct stat st;

	if (err)
		return err;
	fd = openat(directory, strrchr(path, '/') + 1, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 ? errno != ELOOP : fstat(fd, &st) < 0)
		return kd_error_os(errno, "cannot open %s%s", root->prefix, path);
	if (fd < 0 || !S_ISREG(st.st_mode))
		return kd_error_create(KD_ERR_STATE, "%s%s is not a regular file: remove it and try again",
				       root->prefix, path);
	err = refuse(kd_trust(path, fd), path);
	if (!err)
		*fd_ret = take_fd(fd);
	return err;
}

struct kd_error *kd_record_read(const struct kd_sysroot *root, const char *path, char **ret)
{
	_cleanup_close_ int fd = -1;
	struct kd_error *err = kd_record_open(root, path, &fd);

	return err ? err : kd_read_fd(fd, path, RECORD_MAX, ret, NULL);
}

struct kd_error *kd_record_write(const struct kd_sysroot *root, const char *path, const void *data, size_t size,
				 mode_t mode)
{
	_cleanup_free_ char *full = kd_sysroot_path(root, path);
	_cleanup_close_ int directory = -1;
	struct kd_error *err;

	if (!full)
		return kd_error_nomem();
	err = kd_record_directory(root, path, &directory);
	return err ? err : kd_write_file_atomic(full, data, size, mode);
}
