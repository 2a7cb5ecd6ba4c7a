/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/text.h"
#include "kdump/storage/mounts.h"

#define LINKS_MAX 40 /* as in the kernel */

/* Resolve as much of @path as exists, into *real_ret. *rest_ret: what does not, "" or "/name…" within @path. */
static struct kd_error *follow_existing(const struct kd_sysroot *root, const char *path, char **real_ret,
					const char **rest_ret)
{
	_cleanup_free_ char *part = strdup(path);
	struct kd_error *err;
	char *slash;

	if (!part)
		return kd_error_nomem();
	while ((err = kd_sysroot_realpath(root, *part ? part : "/", real_ret))) {
		slash = strrchr(part, '/');
		if (!slash || (err->errnum != ENOENT && err->errnum != ENOTDIR))
			return err;
		kd_error_destroy(err);
		*slash = '\0';
	}
	*rest_ret = path + strlen(part);
	return NULL;
}

/* Where the link that is the first name of @rest, in directory @real, leads, with the names behind it; *ret stays NULL
 * if it is not a link. */
static struct kd_error *follow_dangling(const struct kd_sysroot *root, const char *real, const char *rest, char **ret)
{
	_cleanup_free_ char *first = NULL, *path = NULL, *beside = NULL;
	_cleanup_close_ int fd = -1;
	char target[PATH_MAX];
	size_t length;
	ssize_t size;

	rest += strspn(rest, "/");
	length = strcspn(rest, "/");
	first = strndup(rest, length);
	path = first ? path_join(real, first) : NULL;
	if (!path)
		return kd_error_nomem();
	fd = *first ? kd_sysroot_open_file(root, path, O_PATH | O_NOFOLLOW) : -1;
	size = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target) - 1);
	if (size < 0)
		return NULL;
	target[size] = '\0';
	beside = *target == '/' ? strdup(target) : path_join(real, target);
	*ret = beside ? path_join(beside, rest + length) : NULL;
	return *ret ? NULL : kd_error_nomem();
}

struct kd_error *directory_follow(const struct kd_sysroot *root, const char *path, char **ret)
{
	_cleanup_free_ char *text = strdup(path);

	for (unsigned int links = 0; text && links < LINKS_MAX; links++) {
		_cleanup_free_ char *real = NULL, *next = NULL;
		const char *rest = "";
		struct kd_error *err = follow_existing(root, text, &real, &rest);

		if (!err)
			err = follow_dangling(root, real, rest, &next);
		if (err)
			return err;
		if (!next) {
			*ret = path_join(real, rest);
			return *ret ? NULL : kd_error_nomem();
		}
		free(text);
		text = take_ptr(next);
	}
	return text ? kd_error_os(ELOOP, "cannot resolve %s%s", root->prefix, path) : kd_error_nomem();
}

bool directory_exists(const struct kd_sysroot *root, const char *path)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH | O_DIRECTORY);

	return fd >= 0;
}

struct kd_error *directory_check_usable(const struct kd_sysroot *root, const char *path)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH | O_DIRECTORY);
	struct statvfs fs;
	struct statx st;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0)
		return NULL;
	if (st.stx_attributes & STATX_ATTR_ENCRYPTED)
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"directory %s is encrypted by its file system, and the capture kernel has no key "
			"for it: choose another directory",
			path);
	if (st.stx_attributes & STATX_ATTR_IMMUTABLE)
		return kd_error_create(KD_ERR_STATE,
				       "directory %s is protected from changes: \"chattr -i %s\", or choose another "
				       "directory",
				       path, path);
	/* A subvolume may be read-only although it is mounted for writing. */
	if (fstatvfs(fd, &fs) == 0 && !(fs.f_flag & ST_RDONLY) &&
	    faccessat(fd, "", W_OK, AT_EMPTY_PATH | AT_EACCESS) < 0 && errno == EROFS)
		return kd_error_create(KD_ERR_STATE,
				       "directory %s is on a read-only subvolume: \"btrfs property set\" makes it "
				       "writable, or choose another directory",
				       path);
	return NULL;
}
