/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/config/program.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/text.h"

struct kd_error *program_look_up(const struct kd_sysroot *root, const char *name, char **ret)
{
	static const char *const directories[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
						   "/usr/bin",        "/sbin",          "/bin" };
	size_t i;

	if (*name == '/')
		return kd_set_text(ret, name);
	for (i = 0; i < ARRAY_SIZE(directories) && !strchr(name, '/'); i++) {
		_cleanup_free_ char *path = NULL;
		struct kd_error *err = kd_format(&path, "%s/%s", directories[i], name);

		if (err)
			return err;
		if (kd_sysroot_exists(root, path)) {
			*ret = take_ptr(path);
			return NULL;
		}
	}
	return NULL;
}

bool program_is_executable(const struct kd_sysroot *root, const char *path, bool *exists)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH);
	struct stat st;

	*exists = fd >= 0;
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111);
}

static bool is_regular(const struct kd_sysroot *root, const char *path)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

struct kd_error *program_find(const struct kd_sysroot *root, const char *what, const char *name, char **ret)
{
	_cleanup_free_ char *path = NULL;
	struct kd_error *err;
	bool exists;

	err = program_look_up(root, name, &path);
	if (err)
		return err;
	if (!path)
		return kd_error_create(KD_ERR_NOT_FOUND, "%s: Error: %s not found.", what, name);
	if (kd_sysroot_exists(root, path) && !is_regular(root, path))
		return kd_error_create(KD_ERR_CONFIG, "%s: %s is not a regular file: name a program or a script", what,
				       path);
	if (!program_is_executable(root, path, &exists))
		return exists ? kd_error_create(KD_ERR_CONFIG, "%s: %s is not an executable file: \"chmod +x %s\"",
						what, path, path) :
				kd_error_create(KD_ERR_NOT_FOUND, "%s: Error: %s not found.", what, path);
	*ret = take_ptr(path);
	return NULL;
}
