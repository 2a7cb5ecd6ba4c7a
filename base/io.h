/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Whole reads and writes, and files that are either complete or absent.
 *
 *  The *_all functions return as read(2) does (-1 and errno); the file functions return errors with the path in them.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/** Read until @size bytes or end of file, retrying short reads and EINTR. Returns the bytes read, or -1. */
ssize_t kd_read_all(int fd, void *buf, size_t size);
ssize_t kd_pread_all(int fd, void *buf, size_t size, off_t offset);

/** Write all of @size bytes, retrying short writes and EINTR. Returns 0 or -1. */
int kd_write_all(int fd, const void *buf, size_t size);
int kd_pwrite_all(int fd, const void *buf, size_t size, off_t offset);

/** Read a whole file (regular, or /proc and /sys files, whose size is not known in advance). A NUL follows the content
 *  and is not counted, so text can be used as a string.
 *  @ret: owned by the caller (free). KD_ERR_LIMIT when it is larger than @max bytes. */
struct kd_error *kd_read_file(const char *path, size_t max, char **ret, size_t *size_ret) MUST_CHECK;
/** The same for an open file; @path is its name in errors. */
struct kd_error *kd_read_fd(int fd, const char *path, size_t max, char **ret, size_t *size_ret) MUST_CHECK;

/** Replace @path by a file with this content and mode: the new file is written beside it, synced and renamed, and the
 *  directory is synced. After a failure the old file is untouched, and the new one is removed. KD_ERR_USAGE: @path is
 *  a device, a pipe or a directory, or a link to one. KD_ERR_OS. */
struct kd_error *kd_write_file_atomic(const char *path, const void *data, size_t size, mode_t mode) MUST_CHECK;

/** Did all that was printed arrive? To be called at the end: a full disk shows itself only then. KD_ERR_OS. */
struct kd_error *kd_flush_stdout(void) MUST_CHECK;

/** fsync the directory that holds @path, so that a rename in it survives power loss. */
struct kd_error *kd_sync_parent(const char *path) MUST_CHECK;

/** mkdir -p; new directories get @mode, existing ones keep theirs. */
struct kd_error *kd_mkdir_p(const char *path, mode_t mode) MUST_CHECK;

/** The number to put behind a name, when that with @number (0: without one) is taken: the next one up to 10, then one
 *  that is drawn. Whoever can make files there could have taken any number of next ones. */
unsigned int kd_next_number(unsigned int number);

#endif
