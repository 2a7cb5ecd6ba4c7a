/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The modules that make a device appear, found by a walk through the machine's sysfs, not from lists.
 *
 *  The directory of a device in sysfs lies inside the directories of the devices that it is attached to (partition,
 *  disk, SCSI target, host adapter, bus …). So a walk up its path to /sys/devices meets every driver on the way.
 */
#ifndef INITRAMFS_DRIVERS_H
#define INITRAMFS_DRIVERS_H

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "initramfs/modules.h"

/** The machine, and the list of modules that is filled. */
struct drivers {
	const struct kd_sysroot *root;
	struct modules *modules;
	const char *release;        /* the kernel that the modules are for */
	const struct kd_log *log;   /* debug lines say why a module is added */
	const struct kd_plan *plan; /* the capture can assemble its volumes */
};

/** Add the modules for all targets, volumes and network links of the plan, for the watchdogs that are running, and
 *  @extra_modules (NULL-terminated, may be NULL), in the order in which they are to be inserted. That a watchdog has no
 *  driver, or that an extra module does not exist, is only a warning.
 *  KD_ERR_NOT_FOUND: a device does not exist, or the kernel has no module for it.
 *  KD_ERR_UNSUPPORTED: the type of a target is not in base/target_types.h, or its device is made of other devices and
 *  is not a volume of the plan (the text names the whole stack), or it comes from a server by programs that the
 *  capture does not have (iSCSI …). */
struct kd_error *drivers_add_plan(const struct drivers *drivers, char *const *extra_modules) MUST_CHECK;

/** What block device @node is made of, for people: "dm-1 (encrypted volume) on dm-0 (LVM logical volume) on vda3 and
 *  vdb1". *ret is owned by the caller. KD_ERR_NOT_FOUND: sysfs has no such device. */
struct kd_error *drivers_describe(const struct kd_sysroot *root, const char *node, char **ret) MUST_CHECK;

#endif
