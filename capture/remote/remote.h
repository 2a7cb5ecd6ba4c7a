/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A directory that is not on a file system of the kernel's: the operations that a server's protocol offers (sftp.h),
 *  or a container on a device (container.h), and a file system in front of them (fuse.h), through which everything
 *  else writes as to a disk.
 *
 *  Paths begin with '/' and count from the directory that dumps go to; "/" is that directory. Whatever fails returns a
 *  negative errno. No operation waits longer than its protocol's patience; after that the server counts as lost, and
 *  everything is -ENOTCONN. */
#ifndef CAPTURE_REMOTE_REMOTE_H
#define CAPTURE_REMOTE_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct remote_attributes {
	uint64_t size;
	uint32_t mode; /* type and permissions */
	uint32_t uid, gid;
	uint64_t time; /* of the last change, seconds since the epoch */
};

struct remote_space {
	uint64_t block_size, blocks, free, available;
	uint64_t files, files_free;
};

enum remote_open {
	REMOTE_READ = 1 << 0,
	REMOTE_WRITE = 1 << 1,
	REMOTE_CREATE = 1 << 2,
	REMOTE_EXCLUSIVE = 1 << 3, /* with REMOTE_CREATE */
	REMOTE_TRUNCATE = 1 << 4,
};

struct remote;

struct remote_ops {
	int (*stat)(struct remote *remote, const char *path, struct remote_attributes *ret);
	/** Returns a number for the open file, that is passed to the following ones. */
	int (*open)(struct remote *remote, const char *path, unsigned int how, mode_t mode);
	ssize_t (*read)(struct remote *remote, int file, void *data, size_t size, uint64_t offset);
	/** The data is on its way when it returns; an error may be told by a later call for the same server. */
	int (*write)(struct remote *remote, int file, const void *data, size_t size, uint64_t offset);
	/** All that was written is on the server's disk, as far as the server can say. */
	int (*sync)(struct remote *remote, int file);
	/** The file is being closed, and whoever does that waits; NULL: there is nothing to do before close(). */
	int (*flush)(struct remote *remote, int file);
	int (*close)(struct remote *remote, int file);
	int (*truncate)(struct remote *remote, const char *path, uint64_t size);
	int (*chmod)(struct remote *remote, const char *path, mode_t mode);
	int (*mkdir)(struct remote *remote, const char *path, mode_t mode);
	/** Replaces a file of that name. */
	int (*rename)(struct remote *remote, const char *from, const char *to);
	int (*unlink)(struct remote *remote, const char *path);
	int (*rmdir)(struct remote *remote, const char *path);
	/** Call @entry with each name of the directory but "." and "..". */
	int (*list)(struct remote *remote, const char *path, int (*entry)(void *arg, const char *name), void *arg);
	int (*space)(struct remote *remote, struct remote_space *ret);
	/** Is the server lost? */
	bool (*is_lost)(const struct remote *remote);
};

/** Every protocol's own struct begins with this one. */
struct remote {
	const struct remote_ops *ops;
};

#endif
