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
	const struct kd_plan *plan; /* the capture can assemble its volumes; may be NULL */
};

/** Add the modules for device @device ("UUID=…", "/dev/…"; virtiofs: a tag) and the file system @type on it, which is
 *  mounted with @options.
 *  KD_ERR_NOT_FOUND: no such device, or the kernel has no module for it.
 *  KD_ERR_UNSUPPORTED: @type is not in base/target_types.h, or the device is made of other devices and is not a volume
 *  of the plan (the text names the whole stack), or it comes from a server by programs that the capture does not have
 *  (iSCSI …). */
struct kd_error *drivers_add_target(const struct drivers *drivers, const char *device, const char *type,
				    const char *options) MUST_CHECK;

/** Add the modules for a part of the plan's network: the driver of a device, or the kind of link. KD_ERR_NOT_FOUND. */
struct kd_error *drivers_add_network(const struct drivers *drivers, const struct kd_plan_network *network) MUST_CHECK;

/** Add the modules that assemble @volume: those of its device-mapper targets and their ciphers, or of its RAID level.
 *  drivers_add_target() adds those of the devices below it. KD_ERR_NOT_FOUND. */
struct kd_error *drivers_add_volume(const struct drivers *drivers, const struct kd_plan_volume *volume) MUST_CHECK;

/** Add the modules for the watchdogs that are running. Without its driver nobody stops or feeds a watchdog, and it
 *  resets the machine in the middle of the dump. */
struct kd_error *drivers_add_watchdogs(const struct drivers *drivers) MUST_CHECK;

#endif
