/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Load the capture kernel, from kdump.conf to the system call, and unload it.
 *
 *  Everything is resolved, built and checked first; the call that changes the machine comes last. The old image stays
 *  loaded until the new one takes its place. A failure is noted as the machine's standing (transition.h).
 */
#ifndef KDUMP_ARMING_ARMING_H
#define KDUMP_ARMING_ARMING_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/config/conf.h"
#include "kdump/storage/target.h"

struct arming_request {
	const struct kd_sysroot *root; /* the machine */
	const struct kd_log *log;      /* may be NULL */
	const char *conf_file;         /* kdump.conf, below the root */
	const char *kernel;            /* a release; NULL: the configured kernel */
	const char *capture;           /* the program that becomes /init */
	bool dry_run;                  /* print the layout on standard output, and change nothing */

	/** Called when everything is resolved and before anything is built; NULL: not called. */
	void (*resolved)(void *arg, const struct kd_conf *conf, const struct target *target);
	void *arg;
};

/** Arm a machine that is not armed. If a capture kernel is already loaded and up to date, say so and do nothing. */
struct kd_error *arming_start(const struct arming_request *request) MUST_CHECK;

/** Load again, whether or not anything has changed. force_rebuild of kdump.conf counts, as it does for a start. */
struct kd_error *arming_restart(const struct arming_request *request) MUST_CHECK;

/** Load again if the result differs from the loaded image. Warn if nothing is loaded, and load it. */
struct kd_error *arming_reload(const struct arming_request *request) MUST_CHECK;

/** The same without that warning: the caller knows the state of the machine. */
struct kd_error *arming_refresh(const struct arming_request *request) MUST_CHECK;

/** Build the image if one of its inputs has changed, and load nothing. */
struct kd_error *arming_build(const struct arming_request *request) MUST_CHECK;

/** Build the image even if nothing has changed, and load nothing. */
struct kd_error *arming_rebuild(const struct arming_request *request) MUST_CHECK;

/** Unload the capture kernel. If none is loaded, that is success. */
struct kd_error *arming_stop(const struct kd_sysroot *root, const struct kd_log *log) MUST_CHECK;

#endif
