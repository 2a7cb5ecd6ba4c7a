/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Where dumps go: a target of one of the types in base/target_types.h, and a directory for this crash on it. */
#ifndef CAPTURE_TARGET_H
#define CAPTURE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "capture/device.h"

#define TARGET_MOUNT "/target"

/** The result of connecting. Its size is fixed, as it comes from a child process through shared memory. */
struct target_place {
	char node[DEVICE_NODE_MAX]; /* the device, or the directory of a server */
	char parts[1024];           /* mount options that name further devices of its file system */
	char directory[512];        /* of this crash, as seen on the target */
};

/** Assemble the volumes of the plan that the target lies on, and wait for the target's device until @deadline, but not
 *  on the disks @avoid: @ret->node. A tag or a server shows only by being mounted that it is there: this mounts it at
 *  TARGET_MOUNT. It may block as long as a disk does: run it in a child. KD_ERR_TIMEOUT (device), KD_ERR_UNSUPPORTED
 *  (type), KD_ERR_OS (tag, server). */
struct kd_error *target_find(const struct kd_sysroot *root, const struct kd_plan *plan,
			     const struct kd_plan_target *target, const struct disks *avoid, int64_t deadline,
			     const struct kd_log *log, struct target_place *ret) MUST_CHECK;

/** Mount the device, or the container, that target_find() has found for writing at TARGET_MOUNT, and create a
 *  directory for a crash at @crash_time (seconds since the epoch): @place->directory. It may block as long as the
 *  replay of a journal takes: run it in a child. KD_ERR_OS. */
struct kd_error *target_mount(const struct kd_plan *plan, const struct kd_plan_target *target, uint64_t crash_time,
			      struct target_place *place) MUST_CHECK;

/** Open the directory that target_mount() has created. */
struct kd_error *target_open(const struct target_place *place, int *ret) MUST_CHECK;

/** Write everything to the device and unmount it. It may block: run it in a child. It is not an error if nothing is
 *  mounted. */
struct kd_error *target_disconnect(void) MUST_CHECK;

/** Detach a target that a stuck child holds: nothing is written to it, and the next target can take its place. */
void target_abandon(void);

/** Split mount options as in fstab: return the kernel's flags, and put the options of the file system into @data (at
 *  most @size - 1 characters). Options for other programs are dropped, and so is "ro", since a dump must be written. */
unsigned long target_mount_flags(const char *options, char *data, size_t size);

/** Create a directory in @dir for a crash at @crash_time: @name. Nobody can keep it from that by taking names. */
struct kd_error *target_make_directory(int dir, const char *address, uint64_t crash_time, int utc_offset, char *name,
				       size_t size) MUST_CHECK;

/** "<address>-YYYY-MM-DD-HH:MM:SS", for the @attempt'th (from 0) directory of that name with "-<attempt>" behind it. */
void target_directory_name(char *buf, size_t size, const char *address, uint64_t crash_time, int utc_offset,
			   unsigned int attempt);

#endif
