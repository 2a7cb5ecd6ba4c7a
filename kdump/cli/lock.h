/* SPDX-License-Identifier: GPL-2.0-or-later */
/** One kdumpctl at a time: whoever comes second waits for the first, so that two of them (a service and an
 *  administrator, say) never load or build over each other. Red Hat's kdumpctl takes the same lock.
 */
#ifndef KDUMP_CLI_LOCK_H
#define KDUMP_CLI_LOCK_H

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"

#define LOCK_PATH "/run/lock/kdump"

/** Take the lock, waiting as long as it takes; says so on @log when it has to wait. *fd_ret holds the lock until it
 *  is closed, or the process ends. */
struct kd_error *lock_take(const struct kd_sysroot *root, const struct kd_log *log, int *fd_ret) MUST_CHECK;

#endif
