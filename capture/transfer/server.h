/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The server's side of SFTP version 3, as far as capture/remote/sftp.c speaks it, in front of a store of objects. It
 *  shows the files and directories that were made through it, and no others.
 *
 *  A dump ("vmcore…", but for its log) goes to the server while it is written. Any other file stays in memory, 16 MiB
 *  at most, until it gets its final name, and is sent whole. */
#ifndef CAPTURE_TRANSFER_SERVER_H
#define CAPTURE_TRANSFER_SERVER_H

#include "base/error.h"
#include "base/log.h"
#include "capture/transfer/store.h"

/** Serve until there is no more input; then send what has not been sent, as incomplete. Failures of the store are
 *  logged and told to the other side. KD_ERR_OS, KD_ERR_FORMAT (the other side does not speak SFTP). */
struct kd_error *server_run(int in, int out, struct http *http, const struct settings *settings,
			    const struct kd_log *log) MUST_CHECK;

#endif
