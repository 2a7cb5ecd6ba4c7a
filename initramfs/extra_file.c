/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/extra_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/plan.h"
#include "base/programs.h"
#include "base/text.h"

#define EXTRA_FILE_MAX ((size_t)256 << 20)

/* What the image has for itself, and directories over which the capture mounts something. */
static const char *const own_paths[] = {
	"/init", "/capture.gz", KD_PLAN_PATH, KD_PLAN_KEYS, KD_PROGRAMS_PATH, "/lib/modules",
	"/dev",  "/mnt",        "/proc",      "/run",       "/sys",
};

static bool is_own(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_paths); i++) {
		size_t length = strlen(own_paths[i]);

		if (kd_starts_with(path, own_paths[i]) && (path[length] == '\0' || path[length] == '/'))
			return true;
	}
	return false;
}

/* *real_ret: the canonical path, owned by the caller. */
static struct kd_error *look(const struct kd_sysroot *root, const char *path, char **real_ret, struct stat *st)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *real = NULL;
	struct kd_error *err;

	if (*path != '/')
		return kd_error_create(KD_ERR_CONFIG, "%s is not an absolute path", path);
	fd = kd_sysroot_open_file(root, path, O_PATH);
	if (fd < 0 && errno == ENOENT)
		return kd_error_create(KD_ERR_NOT_FOUND, "%s does not exist: create it, or remove its name", path);
	if (fd < 0 || fstat(fd, st) < 0)
		return kd_error_os(errno, "cannot open %s%s", root->prefix, path);
	if (!S_ISREG(st->st_mode))
		return kd_error_create(KD_ERR_CONFIG, "%s is not a regular file%s", path,
				       S_ISDIR(st->st_mode) ? ": name the files in it that are needed" : "");
	err = kd_sysroot_realpath(root, path, &real);
	if (err)
		return err;
	if (is_own(path) || is_own(real))
		return kd_error_create(
			KD_ERR_CONFIG,
			"the image has files of its own at %s: copy the file to another place, and name that", path);
	*real_ret = take_ptr(real);
	return NULL;
}

struct kd_error *extra_file_check(const struct kd_sysroot *root, const char *path)
{
	_cleanup_free_ char *real = NULL;
	struct stat st;

	return look(root, path, &real, &st);
}

/* The directories of @path, which is canonical, keep their modes: a private one stays private. */
static struct kd_error *add_directories(const struct kd_sysroot *root, const char *path, struct image *image)
{
	struct kd_error *err = NULL;

	for (const char *slash = strchr(path + 1, '/'); slash && !err; slash = strchr(slash + 1, '/')) {
		_cleanup_free_ char *directory = strndup(path, slash - path);
		_cleanup_close_ int fd = directory ? kd_sysroot_open_file(root, directory, O_PATH) : -1;
		struct stat st;

		if (!directory)
			return kd_error_nomem();
		if (fd < 0 || fstat(fd, &st) < 0)
			return kd_error_os(errno, "cannot open %s%s", root->prefix, directory);
		err = image_add_directory(image, directory, st.st_mode & 07777);
	}
	return err;
}

struct kd_error *extra_file_add(const struct kd_sysroot *root, const char *path, struct image *image)
{
	_cleanup_free_ char *real = NULL, *data = NULL;
	struct kd_error *err;
	struct stat st;
	size_t size;

	err = look(root, path, &real, &st);
	if (!err)
		err = kd_sysroot_read_max(root, real, EXTRA_FILE_MAX, &data, &size);
	if (!err)
		err = add_directories(root, real, image);
	if (!err)
		err = image_add_file(image, real, st.st_mode & 07777, IMAGE_STORE_PLAIN, take_ptr(data), size);
	return err || strcmp(real, path) == 0 ? err : image_add_symlink(image, path, real);
}
