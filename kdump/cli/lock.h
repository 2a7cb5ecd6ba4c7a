/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Only one kdumpctl runs at a time. A second one waits for the first, so that a service and an administrator, for
 *  example, never load or build at the same time. The lock is not in /run/lock, where Red Hat's is: on Debian
 *  everybody can create files there, and hold them locked.
 */
#ifndef KDUMP_CLI_LOCK_H
#define KDUMP_CLI_LOCK_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "base/record.h"
#include "base/sysroot.h"

#define LOCK_PATH KD_RUNDIR "/lock"

/** Take the lock, and wait for it as long as necessary, with a message on @log. Only for one who takes it as @unit,
 *  kdump-refresh.service, the wait is silent: nobody who has edited kdump.conf has to know that it is at work already.
 *  *waited: there was such a one. *fd_ret holds the lock until it is closed or the process ends. */
struct kd_error *lock_take(const struct kd_sysroot *root, const struct kd_log *log, bool unit, bool *waited,
			   int *fd_ret) MUST_CHECK;

#endif
