/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The way back by kexec (final_action kexec): into the kernel that kdumpctl has laid out (base/handover.h), without
 *  the firmware. It is an offer, not a promise. Whatever is in doubt ends in a reboot through the firmware, which
 *  resets every device and begins with the right CPU.
 */
#ifndef CAPTURE_COMEBACK_H
#define CAPTURE_COMEBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/handover.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"

/** The action after a capture at @now (seconds since the epoch): the plan's final or failure action, or that of a crash
 *  loop. *loop_ret := it is a loop. @handover NULL: no earlier crash is known. */
enum kd_action comeback_action(const struct kd_plan *plan, const struct kd_handover *handover, bool done, int64_t now,
			       bool *loop_ret);

/** Does @action need a kernel to return to? */
static inline bool comeback_is_wanted(enum kd_action action)
{
	return action == KD_ACTION_KEXEC || action == KD_ACTION_PREVIOUS;
}

/** What must be known of the machine. Strings are borrowed. */
struct comeback_facts {
	enum kd_action action;
	const struct kd_handover *handover; /* NULL: there is none */
	bool complete;                      /* a complete dump was saved */
	bool hanging;                       /* a disk hangs, with a process of the capture on it */
	const char *panic;                  /* why the kernel crashed, a line of its log; "": unknown */
	int64_t boot_cpu;                   /* APIC ID of the CPU that this kernel started on; -1: unknown */
	bool lockdown;
	unsigned int masters; /* PCI functions without a driver that may still write to memory */
	const char *absent;   /* a function that the healthy machine had and this kernel does not see; NULL: none */
	const char *unbound;  /* a function with hidden devices behind it, without its driver; NULL: none */
};

/** NULL: the way back is open. KD_ERR_STATE: it is not; the text says why. */
struct kd_error *comeback_check(const struct comeback_facts *facts) MUST_CHECK;

struct comeback_request {
	const struct kd_sysroot *root;
	const struct kd_plan *plan;
	struct comeback_facts facts; /* action, handover, complete, hanging, panic */
	const char *mounted;         /* the device that is mounted at TARGET_MOUNT; NULL: none */
	int64_t deadline;            /* clock_ms() */
	const struct kd_log *log;
};

/** Look at the machine, check everything, and load the kernel: reboot(LINUX_REBOOT_CMD_KEXEC) then starts it. Nothing
 *  stays mounted. It may block as long as a disk does: run it in a child. */
struct kd_error *comeback_load(struct comeback_request *request) MUST_CHECK;

/** Is a file system with data mounted? @mounts is the text of /proc/mounts; @where gets its mount point. */
bool comeback_is_mounted(const char *mounts, char *where, size_t size);

#endif
