/* SPDX-License-Identifier: GPL-2.0-or-later */
/** kdumpctl's verbs, and what each is called with. */
#ifndef KDUMP_KDUMPCTL_H
#define KDUMP_KDUMPCTL_H

#include <stdbool.h>

#include "base/conf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"

struct kdumpctl {
	struct kd_sysroot root; /* the machine */
	struct kd_log log;
	const char *conf_file;  /* --config, below the root */
	const char *kernel;     /* --kernel: a release; NULL: as configured */
	const char *capture;    /* the program that becomes /init */
	bool dry_run, verbose, json;
};

/** A verb. *status := exit status, 0 unless the verb has others. An error is printed by main, and means 1. */
typedef struct kd_error *kdumpctl_verb(struct kdumpctl *ctl, int *status);

/* service.c */
kdumpctl_verb service_start, service_stop, service_restart, service_reload, service_rebuild;
/* status.c */
kdumpctl_verb status_show, status_showmem;

/** The parsed configuration file; remarks go to ctl->log. */
struct kd_error *kdumpctl_read_conf(const struct kdumpctl *ctl, struct kd_conf *ret) MUST_CHECK;

#endif
