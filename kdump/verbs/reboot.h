/* SPDX-License-Identifier: GPL-2.0-or-later */
/** kdumpctl reboot: into the next kernel by kexec, in these steps:
 *
 *   1. choose the entry of the boot loader's menu: a struct reboot_request (kdump/reboot/request.h);
 *   2. the parts that options switch on change the request (prepare() of the rows of parts[] in reboot.c);
 *   3. look for obstacles (reboot_check.c); with --check that is all; with --dry-run the request is printed instead;
 *   4. load; what was loaded before is lost only if that succeeds;
 *   5. the parts do what has to be done once the kernel is loaded (loaded() of the same rows);
 *   6. let the boot loader forget what it would take once, and have systemd stop the machine and jump.
 *
 *  A further option that changes what is loaded, or what happens before the jump, is a row of the verb's options and a
 *  row of parts[]: no other place has to know it. An error in 2 or 4 leaves everything as it was, one in 5 or 6
 *  unloads the kernel again. */
#ifndef KDUMP_VERBS_REBOOT_H
#define KDUMP_VERBS_REBOOT_H

#include <stdbool.h>

#include "base/error.h"
#include "kdump/reboot/request.h"
#include "kdump/verbs/kdumpctl.h"

/** The options of the verb: indexes into reboot_options[] and ctl->option[]. */
enum reboot_option {
	REBOOT_KERNEL,
	REBOOT_ENTRY,
	REBOOT_NEXT,
	REBOOT_APPEND,
	REBOOT_OVERLAY,
	REBOOT_NO_FAST,
	REBOOT_UNLOCK,
	REBOOT_BOOTLOADER,
	REBOOT_CHECK,
	REBOOT_TIMING,
	REBOOT_FORCE,
	REBOOT_STOP_DEADLINE,
	REBOOT_STOP_FIRMWARE,
	REBOOT_TRY,
	REBOOT_DEADLINE,
	REBOOT_OPTIONS,
};

/** What an option adds to a reboot. */
struct reboot_part {
	enum reboot_option option; /* the part takes part if it is given */
	/* Change @request: its command line (reboot_request_append()), and what follows its initramfs
	 * (@request->archives). @value: of the option; "": a flag. Nothing of the machine is changed: it is called
	 * for --check and --dry-run, too. NULL: nothing to do. */
	struct kd_error *(*prepare)(struct kdumpctl *ctl, const char *value, struct reboot_request *request);
	/* The kernel is loaded. NULL: nothing to do. */
	struct kd_error *(*loaded)(struct kdumpctl *ctl, const char *value, const struct reboot_request *request);
	/* Take back what loaded() did, as the machine stays. NULL: nothing to do. */
	void (*stays)(struct kdumpctl *ctl);
};

/** reboot_timing.c: note the moment, for the next boot. */
struct kd_error *reboot_timing_note(struct kdumpctl *ctl) MUST_CHECK;
/** Print how long the last reboot took until @unit was up. KD_ERR_NOT_FOUND, KD_ERR_STATE: there was none since it was
 *  noted, or @unit is not up. */
struct kd_error *reboot_timing_show(struct kdumpctl *ctl, const char *unit) MUST_CHECK;

/* reboot_guard.c: the functions of --stop-deadline's part. */
struct kd_error *reboot_deadline_prepare(struct kdumpctl *ctl, const char *value,
					 struct reboot_request *request) MUST_CHECK;
struct kd_error *reboot_deadline_start(struct kdumpctl *ctl, const char *value,
				       const struct reboot_request *request) MUST_CHECK;
void reboot_deadline_stop(struct kdumpctl *ctl);

/* reboot_unlock.c: the function of --unlock's part. */
struct kd_error *reboot_unlock_prepare(struct kdumpctl *ctl, const char *value,
				       struct reboot_request *request) MUST_CHECK;

/** Look for what would keep the reboot from working, and print all results if @all, else the obstacles as warnings.
 *  *obstacles := how many there are. */
struct kd_error *reboot_check(struct kdumpctl *ctl, const struct reboot_request *request, bool all,
			      unsigned int *obstacles) MUST_CHECK;

#endif
