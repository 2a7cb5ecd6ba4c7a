/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Dumps that wait in a container (kdump/storage/held.h) until the machine takes them out. */
#ifndef KDUMP_DUMPS_WAITING_H
#define KDUMP_DUMPS_WAITING_H

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/storage/held.h"

/** Move every dump of @held, which is open for writing, to a directory of its name below @directory, which is made if
 *  it does not exist. A dump appears there when it is whole, synced and compared with its checksums; only then it goes
 *  from the container. A vmcore whose checksums are wrong is called incomplete, with a warning. *moved counts the
 *  dumps; those before the one that failed stay moved. KD_ERR_LIMIT: there is not enough space below @directory, so
 *  that the dump stays where it is; KD_ERR_OS. */
struct kd_error *waiting_collect(struct held *held, const char *directory, const struct kd_log *log,
				 unsigned int *moved) MUST_CHECK;

#endif
