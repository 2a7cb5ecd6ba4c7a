/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The SSH File Transfer Protocol, version 3 (draft-ietf-secsh-filexfer-02), as OpenSSH's sftp-server speaks it with
 *  its extensions (OpenSSH's file PROTOCOL, section 4), over a socket to a program that has already connected. */
#ifndef CAPTURE_REMOTE_SFTP_H
#define CAPTURE_REMOTE_SFTP_H

#include <stdint.h>

#include "base/error.h"
#include "capture/remote/remote.h"

/** Greet the server behind the descriptors @in (from it) and @out (to it), which are taken over, and make @directory
 *  the top of all paths. *ret is to be freed with sftp_close(). @patience_ms: how long any answer may take, the first
 *  one, for which the program has to connect, included.
 *  KD_ERR_TIMEOUT, KD_ERR_OS (the program ended), KD_ERR_FORMAT (it does not speak the protocol). */
struct kd_error *sftp_open(int in, int out, const char *directory, int patience_ms, struct remote **ret) MUST_CHECK;

/** Close the connection. NULL is allowed. */
void sftp_close(struct remote *remote);

#endif
