/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The options of fence_kdump_send(8), as Red Hat's fence_kdump_args passes them on. */
#ifndef KDUMP_CONFIG_FENCE_KDUMP_H
#define KDUMP_CONFIG_FENCE_KDUMP_H

#include "base/error.h"

struct fence_kdump_args {
	unsigned int port;     /* -p; default 7410 */
	int family;            /* -f: AF_INET, AF_INET6, or, by default, AF_UNSPEC for "auto" */
	unsigned int count;    /* -c: messages to each node; 0, the default: no limit */
	unsigned int interval; /* -i: seconds from message to message; default 10 */
};

/** Parse the NULL-terminated words. -v is allowed, and has no effect. KD_ERR_CONFIG: what is wrong, and what to do. */
struct kd_error *fence_kdump_parse(char *const *words, struct fence_kdump_args *ret) MUST_CHECK;

#endif
