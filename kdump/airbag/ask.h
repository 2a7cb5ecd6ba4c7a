/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What kdumpctl asks of the deadman (airbag.h). */
#ifndef KDUMP_AIRBAG_ASK_H
#define KDUMP_AIRBAG_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kdump/airbag/airbag.h"

struct airbag_status {
	bool pending;                    /* there is a deadman: this boot is on trial. Else the rest is zeroed */
	bool told;                       /* the rest is known: the deadman answers root alone */
	uint64_t left;                   /* seconds until it takes the machine back */
	bool armed;                      /* by the panic kernel; else through the firmware */
	char watchdogs[AIRBAG_TEXT_MAX]; /* "watchdog0 watchdog1"; "": none */
};

/** KD_ERR_OS, KD_ERR_FORMAT; KD_ERR_STATE: somebody else than root holds its name. */
struct kd_error *airbag_status(struct airbag_status *ret) MUST_CHECK;
/** For tests: @name in the place of AIRBAG_SOCKET. */
struct kd_error *airbag_status_of(const char *name, struct airbag_status *ret) MUST_CHECK;

/** End the deadman. When this returns, the watchdogs are stopped. KD_ERR_STATE: there is none. */
struct kd_error *airbag_commit(void) MUST_CHECK;
struct kd_error *airbag_commit_of(const char *name) MUST_CHECK;

#endif
