/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A directory of a server that is reached by ssh(1) as a target. */
#ifndef KDUMP_STORAGE_SSH_H
#define KDUMP_STORAGE_SSH_H

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/storage/target.h"

/** The keys that are tried where the configuration names none: Red Hat's, and that of "kdumpctl propagate". */
#define SSH_KEY_RSA     "/root/.ssh/kdump_id_rsa"
#define SSH_KEY_ED25519 "/root/.ssh/kdump_id_ed25519"

/** The key for @configured, the value of "sshkey" or NULL: that file, or the first of the above that exists, or
 *  SSH_KEY_ED25519. */
const char *ssh_key(const struct kd_sysroot *root, const char *configured);

/** @request names "USER@SERVER". ssh tells what its configuration makes of that, and connects once as the capture will:
 *  without questions, with the key alone, to a server whose host key is known. Errors as target_resolve();
 *  KD_ERR_STATE: the server cannot be reached or refuses the key. */
struct kd_error *ssh_resolve(const struct kd_sysroot *root, const struct target_request *request,
			     struct target *target) MUST_CHECK;

#endif
