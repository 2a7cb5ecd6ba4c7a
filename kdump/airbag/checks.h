/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The operator's checks of a kernel on trial: programs in a directory, run one after the other in the order of their
 *  names. Each has to end with 0 in time. Only programs count that root alone can write (base/trust.h); another one
 *  there is a failure, since nobody can tell what it would have said. */
#ifndef KDUMP_AIRBAG_CHECKS_H
#define KDUMP_AIRBAG_CHECKS_H

#include "base/error.h"
#include "base/log.h"

#define CHECKS_DIRECTORY KD_SYSCONFDIR "/kdump/healthy.d"

enum { CHECK_SECONDS = 30 };

/** Run the checks in @directory, each for at most @seconds. The first failure ends it: KD_ERR_STATE or KD_ERR_TIMEOUT,
 *  with the check's name. A directory that does not exist has no checks. Names that package managers and editors leave
 *  behind are passed over, and so are files that are not executable. */
struct kd_error *checks_run(const char *directory, unsigned int seconds, const struct kd_log *log) MUST_CHECK;

#endif
