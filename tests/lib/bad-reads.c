/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library to be preloaded: a file some of whose bytes cannot be read, as on a bad disk, or as /proc/vmcore has it for
 * memory that the kernel cannot map.
 *
 *  BAD_READS_FILE    the file
 *  BAD_READS         ranges of it, hexadecimal: "4000-5000,7abc-7abd"
 *  BAD_READS_ERRNO   what reading them gives (default: EIO)
 *  BAD_READS_PROC    if set, the file seems to lie in /proc, so that it is mapped; bad ranges cannot be
 *  BAD_READS_LOG     if set, a file that gets a line for each time when a range was in the way: "read" or "map"
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static bool is_bad_file(int fd)
{
	const char *path = getenv("BAD_READS_FILE");
	struct stat bad, st;

	return path && fd >= 0 && stat(path, &bad) == 0 && fstat(fd, &st) == 0 && st.st_dev == bad.st_dev &&
	       st.st_ino == bad.st_ino;
}

static void note(const char *what)
{
	const char *path = getenv("BAD_READS_LOG");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return;
	if (write(fd, what, strlen(what)) < 0)
		abort();
	close(fd);
}

static bool in_the_way(int fd, uint64_t offset, uint64_t size, const char *what)
{
	const char *ranges = getenv("BAD_READS");

	if (!ranges || !is_bad_file(fd))
		return false;
	while (*ranges) {
		char *rest;
		uint64_t start = strtoull(ranges, &rest, 16), end = strtoull(rest + (*rest == '-'), &rest, 16);

		if (start >= end || (*rest && *rest != ',')) {
			fprintf(stderr, "bad-reads: BAD_READS: %s\n", ranges);
			abort();
		}
		if (offset < end && offset + size > start) {
			note(what);
			return true;
		}
		ranges = rest + (*rest == ',');
	}
	return false;
}

ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
	const char *number = getenv("BAD_READS_ERRNO");

	if (in_the_way(fd, (uint64_t)offset, size, "read\n")) {
		errno = number ? atoi(number) : EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, buf, size, offset);
}

void *mmap(void *addr, size_t size, int protection, int flags, int fd, off_t offset)
{
	/* Linux fs/proc/vmcore.c */
	if (in_the_way(fd, (uint64_t)offset, size, "map\n")) {
		errno = EAGAIN;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, addr, size, protection, flags, fd, offset);
}

int fstatfs(int fd, struct statfs *fs)
{
	int result = (int)syscall(SYS_fstatfs, fd, fs);

	if (result == 0 && getenv("BAD_READS_PROC") && is_bad_file(fd))
		fs->f_type = PROC_SUPER_MAGIC;
	return result;
}
