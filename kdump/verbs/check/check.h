/* SPDX-License-Identifier: GPL-2.0-or-later */
/** kdumpctl check: find what would keep a dump from being saved, before the crash. */
#ifndef KDUMP_VERBS_CHECK_CHECK_H
#define KDUMP_VERBS_CHECK_CHECK_H

#include <stdbool.h>

#include "base/error.h"
#include "base/plan.h"
#include "kdump/arming/chain.h"
#include "kdump/arming/plan_build.h"
#include "kdump/config/conf.h"
#include "kdump/config/kernel.h"
#include "kdump/config/settings.h"
#include "kdump/storage/target.h"
#include "kdump/verbs/kdumpctl.h"
#include "kdump/verbs/terminal.h"

enum check_verdict {
	CHECK_OK,
	CHECK_NOT_APPLICABLE, /* there is nothing to check on this machine, or this user cannot check it */
	CHECK_WARNING,        /* a dump is saved, but perhaps not as expected, or not for ever */
	CHECK_FAILURE,        /* a crash now would leave no dump */
};

struct check_result {
	enum check_verdict verdict;
	char *text;         /* what was found; owned */
	const char *remedy; /* what to do; NULL: the text says it, or nothing is to be done */
};

/** The objects of the checks, resolved once. A part that could not be resolved is NULL, and its error is set. */
struct check_context {
	const struct kdumpctl *ctl;
	const struct kd_conf *conf;
	const struct settings *settings;
	const struct kernel *kernel;
	const struct target *target; /* the first that can be used; for "target": the one that is checked */
	bool left_out;               /* it is NULL, and the machine can be armed without it */
	const struct kd_plan *plan;
	int64_t now;  /* the machine's clock, seconds since the epoch; 0: a captured tree, which has none */
	char *initrd; /* the image for that kernel, below the root; it need not be there */
	/* Why a part above is NULL. */
	const char *conf_error, *settings_error, *kernel_error, *target_error, *plan_error;
};

typedef void check_function(const struct check_context *context, struct check_result *result);

/** Set the result, and replace an earlier one. */
void check_say(struct check_result *result, enum check_verdict verdict, const char *remedy, const char *format, ...)
	PRINTF_FORMAT(4, 5);
/** The same with the text of @err, which is destroyed. */
void check_say_error(struct check_result *result, enum check_verdict verdict, struct kd_error *err);

/** Print a result as a line, and its remedy. */
void check_print(const struct term *term, const char *name, const struct check_result *result);

/** Does the kernel file @path carry a signature (of which nobody knows whether the running kernel trusts it)? */
bool check_is_signed(const struct kd_sysroot *root, const char *path);

/** Run the cheap checks. What they find is a warning on ctl->log. */
void check_cheaply(const struct kdumpctl *ctl, const struct kd_conf *conf, const struct target *target);

/** Run all checks and print their results. *failures := the number of CHECK_FAILURE. */
struct kd_error *check_everything(struct kdumpctl *ctl, unsigned int *failures) MUST_CHECK;

/* machine.c */
check_function check_kexec, check_reservation, check_load_disabled, check_signature, check_armed, check_unit,
	check_rivals, check_panic, check_watchdog, check_clock;
/* storage.c */
check_function check_target, check_writable, check_owner, check_space, check_inodes, check_file_system;
/* programs.c */
check_function check_configuration, check_settings, check_kernel, check_image, check_drivers, check_firmware,
	check_programs, check_libraries, check_hook_directories, check_keys, check_armed_image, check_kdump_tools;

#endif
