/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The kernel to which final_action kexec returns: found, checked and laid out on the healthy machine.
 *
 *  Where it cannot work, the machine is armed all the same: a dump is worth more than a fast way back. kdumpctl says
 *  so, and the machine then reboots through the firmware. */
#ifndef KDUMP_ARMING_COMEBACK_H
#define KDUMP_ARMING_COMEBACK_H

#include <stdbool.h>

#include "base/error.h"
#include "base/handover.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "kdump/config/settings.h"
#include "kdump/loader/loader.h"
#include "kdump/storage/volumes_source.h"

/** APIC ID of the CPU that the firmware started, as of the last boot through the firmware. */
#define BOOT_CPU_PATH KD_STATEDIR "/boot-cpu"

struct comeback {
	bool wanted;   /* final_action or crash_loop asks for one */
	bool previous; /* the next crash makes a loop, in which the kernel before this one is wanted */
	char *release, *kernel, *initrd; /* files below the root; NULL: none was found */
	char *kernel_file, *initrd_file; /* the same on their file system */
	char *refused;                   /* why there is none; NULL: there is one, or none is wanted */
	struct loader_parts parts;
};

/** Find the kernel. Set the plan's boot, and add the volumes below that. KD_ERR_NOMEM; anything else is
 *  comeback->refused. */
struct kd_error *comeback_find(const struct kd_sysroot *root, const struct settings *settings, unsigned int deadline,
			       struct kd_plan *plan, struct comeback *comeback) MUST_CHECK;

/** Lay it out: the rest of @handover, and comeback->parts. Keeps the record of the boot CPU, unless @dry_run. Errors as
 *  above, with handover->refused. */
struct kd_error *comeback_lay_out(const struct kd_sysroot *root, const struct kd_log *log, bool dry_run,
				  struct comeback *comeback, struct kd_handover *handover) MUST_CHECK;

/** A zeroed struct is allowed. */
void comeback_free(struct comeback *comeback);
static inline void comeback_free_cleanup(struct comeback *comeback)
{
	comeback_free(comeback);
}

#endif
