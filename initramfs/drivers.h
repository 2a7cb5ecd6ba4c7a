/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Which modules make a device appear: found by walking the machine's sysfs, not from lists.
 *
 *  A device's directory in sysfs lies inside those of the devices it hangs on (partition, disk, SCSI target, host
 *  adapter, bus …), so going up its path to /sys/devices meets every driver on the way.
 */
#ifndef INITRAMFS_DRIVERS_H
#define INITRAMFS_DRIVERS_H

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "initramfs/modules.h"

/** The machine that is looked at, and where the modules go. */
struct drivers {
	const struct kd_sysroot *root;
	struct modules *modules;
	const char *release;        /* the kernel that the modules are for */
	const struct kd_log *log;   /* debug lines say why a module is there */
	const struct kd_plan *plan; /* its volumes are devices that the capture environment can put together; may be
				     * NULL */
};

/** Modules for the device @device ("UUID=…", "/dev/…"; virtiofs: a tag) and the file system @type on it.
 *  KD_ERR_NOT_FOUND: no such device, or the kernel has no module for it.
 *  KD_ERR_UNSUPPORTED: @type is not in base/target_types.h, or the device is made of other devices and is not a volume
 *  of the plan (the text names the whole stack), or it comes from a server by programs that the capture does not have
 *  (iSCSI …). */
struct kd_error *drivers_add_target(const struct drivers *drivers, const char *device, const char *type) MUST_CHECK;

/** Modules that put @volume together: of the device mapper's targets and their ciphers, of the RAID level. What it is
 *  made of comes with the target. KD_ERR_NOT_FOUND. */
struct kd_error *drivers_add_volume(const struct drivers *drivers, const struct kd_plan_volume *volume) MUST_CHECK;

/** Modules for the watchdogs that are running: a driver that takes over stops or feeds a watchdog which would
 *  otherwise reset the machine in the middle of the dump. */
struct kd_error *drivers_add_watchdogs(const struct drivers *drivers) MUST_CHECK;

#endif
