/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Whoever reads a file of the machine (in /proc, /sys, /dev, /etc, /lib/modules, …) does so through a system root, so
 *  that a captured tree stands for a machine on any host (`--sysroot DIR`).
 *
 *  Paths are absolute as seen on that machine ("/proc/iomem"). Symbolic links in a captured tree are resolved
 *  inside it.
 */
#ifndef BASE_SYSROOT_H
#define BASE_SYSROOT_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct kd_sysroot {
	char *prefix; /* "" for the running machine, else a directory without trailing slash */
	int fd;       /* that directory */
};

/** @prefix NULL or "/": the running machine. */
struct kd_error *kd_sysroot_open(const char *prefix, struct kd_sysroot *ret) MUST_CHECK;
void kd_sysroot_close(struct kd_sysroot *root);
static inline void kd_sysroot_close_cleanup(struct kd_sysroot *root)
{
	kd_sysroot_close(root);
}

/** Is this the running machine, and not a captured one? */
bool kd_sysroot_is_live(const struct kd_sysroot *root);

/** A path for open(2) and for libraries: prefix and @path. Owned by the caller; NULL: no memory. Absolute symbolic
 *  links are not resolved inside the prefix; use kd_sysroot_open_file() where that matters. */
char *kd_sysroot_path(const struct kd_sysroot *root, const char *path);

/** open(2) with every symbolic link resolved inside the root (openat2(2), RESOLVE_IN_ROOT). -1 and errno. */
int kd_sysroot_open_file(const struct kd_sysroot *root, const char *path, int flags);

/** opendir(3) by the same rules. NULL and errno. */
DIR *kd_sysroot_open_dir(const struct kd_sysroot *root, const char *path);

/** The name of the next entry whose name does not begin with a dot, valid until the next call; NULL at the end. */
const char *kd_next_entry(DIR *dir);

/** The names in a directory that do not begin with a dot, in the order of their bytes, whatever the locale. A zeroed
 *  struct is allowed. */
struct kd_names {
	char **name;
	size_t count;
};
void kd_names_free(struct kd_names *names);
static inline void kd_names_free_cleanup(struct kd_names *names)
{
	kd_names_free(names);
}

/** All names in the directory @path. KD_ERR_OS (ENOENT: no such directory), KD_ERR_LIMIT (more than 65536). */
struct kd_error *kd_sysroot_list(const struct kd_sysroot *root, const char *path, struct kd_names *ret) MUST_CHECK;

/** Is a file of this name in a directory of programs one that an editor or a package manager has left behind? */
bool kd_is_left_behind(const char *name);

bool kd_sysroot_exists(const struct kd_sysroot *root, const char *path);

/** Open a regular file to read it, or /dev/null, which is an empty one. KD_ERR_FORMAT: it is something else, such as a
 *  named pipe, which nobody waits for. KD_ERR_OS. */
struct kd_error *kd_sysroot_open_text(const struct kd_sysroot *root, const char *path, int *ret) MUST_CHECK;

/** Read the whole regular file, of at most 16 MiB; a NUL follows the content. KD_ERR_OS (ENOENT: no such file). */
struct kd_error *kd_sysroot_read(const struct kd_sysroot *root, const char *path, char **ret,
				 size_t *size_ret) MUST_CHECK;
/** The same for a file of at most @max bytes. */
struct kd_error *kd_sysroot_read_max(const struct kd_sysroot *root, const char *path, size_t max, char **ret,
				     size_t *size_ret) MUST_CHECK;

/** Read the file's text without its final newline (an attribute in /sys). */
struct kd_error *kd_sysroot_read_line(const struct kd_sysroot *root, char **ret, const char *path_fmt, ...)
	PRINTF_FORMAT(3, 4) MUST_CHECK;

/** Read the attribute as a number, see kd_parse_u64(). KD_ERR_FORMAT: it is not a number. */
struct kd_error *kd_sysroot_read_u64(const struct kd_sysroot *root, int base, uint64_t *ret, const char *path_fmt, ...)
	PRINTF_FORMAT(4, 5) MUST_CHECK;

/** Canonical absolute path inside the root (realpath(3) as that machine would see it); owned by the caller. */
struct kd_error *kd_sysroot_realpath(const struct kd_sysroot *root, const char *path, char **ret) MUST_CHECK;

#endif
