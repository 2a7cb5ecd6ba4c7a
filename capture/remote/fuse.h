/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A server's directory as a file system: the kernel hands every operation on it to this process, which carries it out
 *  by the operations of a struct remote. So the dump, the log, the report, hooks and any collector write to a server as
 *  they write to a disk.
 *
 *  The kernel keeps nothing: each write is on its way to the server when write(2) returns. A server that is lost ends
 *  the process, and with it every operation that waits, with ENOTCONN: nobody hangs. */
#ifndef CAPTURE_REMOTE_FUSE_H
#define CAPTURE_REMOTE_FUSE_H

#include "base/error.h"
#include "capture/remote/remote.h"

/** Mount an empty file system at @mount_point. *ret is the descriptor that its requests come through. KD_ERR_OS. */
struct kd_error *fuse_mount(const char *mount_point, int *ret) MUST_CHECK;

/** Serve the file system of @fd by @remote until it is unmounted or the server is lost. KD_ERR_OS (the server was
 *  lost, the kernel refuses an answer), KD_ERR_NOMEM. */
struct kd_error *fuse_serve(int fd, struct remote *remote) MUST_CHECK;

/** The same in a process of its own, which outlives the caller and closes its @remote by @close_remote at the end. The
 *  caller keeps, and closes, both of its own. KD_ERR_OS. */
struct kd_error *fuse_serve_apart(int fd, struct remote *remote,
				  void (*close_remote)(struct remote *remote)) MUST_CHECK;

#endif
