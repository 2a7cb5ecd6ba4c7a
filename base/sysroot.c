/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/sysroot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/text.h"

#define SYSROOT_READ_MAX KD_MIB(16)
/* A few retries are enough even on a machine that renames files all the time. */
#define RACES_MAX 1000

enum { NAMES_MAX = 65536 };

struct kd_error *kd_sysroot_open(const char *prefix, struct kd_sysroot *ret)
{
	_cleanup_free_ char *copy = strdup(prefix ? prefix : "");
	size_t length;
	int fd;

	if (!copy)
		return kd_error_nomem();
	length = strlen(copy);
	while (length && copy[length - 1] == '/')
		copy[--length] = '\0';
	fd = open(length ? copy : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return kd_error_os(errno, "cannot open system root %s", copy);
	*ret = (struct kd_sysroot){ .prefix = take_ptr(copy), .fd = fd };
	return NULL;
}

void kd_sysroot_close(struct kd_sysroot *root)
{
	if (!root->prefix) /* never opened */
		return;
	close(root->fd);
	free(root->prefix);
	*root = (struct kd_sysroot){ .fd = -1 };
}

bool kd_sysroot_is_live(const struct kd_sysroot *root)
{
	return root->prefix[0] == '\0';
}

char *kd_sysroot_path(const struct kd_sysroot *root, const char *path)
{
	char *full;

	return asprintf(&full, "%s%s", root->prefix, path) < 0 ? NULL : full;
}

int kd_sysroot_open_file(const struct kd_sysroot *root, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	const char *below = path + strspn(path, "/");
	int fd = -1;

	if (kd_sysroot_is_live(root))
		return open(path, flags | O_CLOEXEC);
	/* While files are renamed anywhere on the machine, the kernel cannot tell whether ".." leads out of the root,
	 * and returns EAGAIN (openat2(2)). */
	for (int races = 0; races < RACES_MAX; races++) {
		/* Without the slash: qemu-user takes "/proc/cpuinfo" for its own, whatever directory goes with it. */
		fd = (int)syscall(SYS_openat2, root->fd, *below ? below : ".", &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

DIR *kd_sysroot_open_dir(const struct kd_sysroot *root, const char *path)
{
	int fd = kd_sysroot_open_file(root, path, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

const char *kd_next_entry(DIR *dir)
{
	const struct dirent *entry;

	do {
		entry = readdir(dir);
	} while (entry && entry->d_name[0] == '.');
	return entry ? entry->d_name : NULL;
}

void kd_names_free(struct kd_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct kd_names){ 0 };
}

static struct kd_error *add_name(struct kd_names *names, const char *name)
{
	char **grown = names->name;

	if (names->count == NAMES_MAX)
		return kd_error_create(KD_ERR_LIMIT, "it has more than %d entries", NAMES_MAX);
	if ((names->count & (names->count - 1)) == 0) /* the room is a power of two */
		grown = realloc(names->name, (names->count ? 2 * names->count : 1) * sizeof(*grown));
	if (!grown)
		return kd_error_nomem();
	names->name = grown;
	grown[names->count] = strdup(name);
	return grown[names->count] ? (names->count++, NULL) : kd_error_nomem();
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct kd_error *kd_sysroot_list(const struct kd_sysroot *root, const char *path, struct kd_names *ret)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, path);
	_cleanup_(kd_names_free) struct kd_names names = { 0 };
	struct kd_error *err = NULL;
	const char *name;

	if (!dir)
		return kd_error_os(errno, "cannot read the directory %s%s", root->prefix, path);
	while (!err && (name = kd_next_entry(dir)))
		err = add_name(&names, name);
	if (err)
		return kd_error_wrap(err, "cannot read the directory %s%s", root->prefix, path);
	if (names.count)
		qsort(names.name, names.count, sizeof(*names.name), by_bytes);
	*ret = names;
	names = (struct kd_names){ 0 };
	return NULL;
}

bool kd_is_left_behind(const char *name)
{
	size_t length = strlen(name);

	return (length && name[length - 1] == '~') || strstr(name, ".dpkg-") || strstr(name, ".rpm");
}

bool kd_sysroot_exists(const struct kd_sysroot *root, const char *path)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH);

	return fd >= 0;
}

/* A link to /dev/null masks a file. */
static bool is_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

struct kd_error *kd_sysroot_open_text(const struct kd_sysroot *root, const char *path, int *ret)
{
	/* Without O_NONBLOCK, the open of a named pipe waits for its writer. */
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_RDONLY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return kd_error_os(errno, "cannot open %s%s", root->prefix, path);
	if (S_ISDIR(st.st_mode))
		return kd_error_os(EISDIR, "cannot read %s%s", root->prefix, path);
	if (!S_ISREG(st.st_mode) && !is_null(&st))
		return kd_error_create(KD_ERR_FORMAT,
				       "cannot read %s%s: it is not a regular file: put a file in its place",
				       root->prefix, path);
	*ret = take_fd(fd);
	return NULL;
}

struct kd_error *kd_sysroot_read_max(const struct kd_sysroot *root, const char *path, size_t max, char **ret,
				     size_t *size_ret)
{
	_cleanup_free_ char *full = NULL;
	_cleanup_close_ int fd = -1;
	struct kd_error *err = kd_sysroot_open_text(root, path, &fd);

	if (err)
		return err;
	full = kd_sysroot_path(root, path);
	return full ? kd_read_fd(fd, full, max, ret, size_ret) : kd_error_nomem();
}

struct kd_error *kd_sysroot_read(const struct kd_sysroot *root, const char *path, char **ret, size_t *size_ret)
{
	return kd_sysroot_read_max(root, path, SYSROOT_READ_MAX, ret, size_ret);
}

static struct kd_error *read_line(const struct kd_sysroot *root, char **ret, const char *path)
{
	struct kd_error *err;
	char *text;
	size_t size;

	err = kd_sysroot_read(root, path, &text, &size);
	if (err)
		return err;
	if (size && text[size - 1] == '\n')
		text[size - 1] = '\0';
	*ret = text;
	return NULL;
}

struct kd_error *kd_sysroot_read_line(const struct kd_sysroot *root, char **ret, const char *path_fmt, ...)
{
	_cleanup_free_ char *path = NULL;
	struct kd_error *err;
	va_list ap;

	va_start(ap, path_fmt);
	err = kd_vformat(&path, path_fmt, ap);
	va_end(ap);
	return err ? err : read_line(root, ret, path);
}

struct kd_error *kd_sysroot_read_u64(const struct kd_sysroot *root, int base, uint64_t *ret, const char *path_fmt, ...)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	struct kd_error *err;
	va_list ap;

	va_start(ap, path_fmt);
	err = kd_vformat(&path, path_fmt, ap);
	va_end(ap);
	if (!err)
		err = read_line(root, &text, path);
	if (err)
		return err;
	if (!kd_parse_u64(text, base, ret))
		return kd_error_create(KD_ERR_FORMAT, "%s%s holds \"%s\", not a number", root->prefix, path, text);
	return NULL;
}

struct kd_error *kd_sysroot_realpath(const struct kd_sysroot *root, const char *path, char **ret)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH);
	_cleanup_free_ char *full = NULL, *prefix = NULL;
	size_t length;
	char link[64];

	if (fd < 0)
		return kd_error_os(errno, "cannot resolve %s%s", root->prefix, path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	full = realpath(link, NULL);
	if (!full)
		return kd_error_os(errno, "cannot resolve %s%s", root->prefix, path);
	if (kd_sysroot_is_live(root)) {
		*ret = take_ptr(full);
		return NULL;
	}
	prefix = realpath(root->prefix, NULL);
	if (!prefix)
		return kd_error_os(errno, "cannot resolve %s", root->prefix);
	length = strlen(prefix);
	if (!kd_starts_with(full, prefix) || (full[length] && full[length] != '/'))
		return kd_error_create(KD_ERR_FORMAT, "%s leads out of %s", path, root->prefix);
	*ret = strdup(full[length] ? full + length : "/");
	return *ret ? NULL : kd_error_nomem();
}
