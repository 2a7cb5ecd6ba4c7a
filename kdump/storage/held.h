/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Targets that are containers (base/container.h), on the healthy machine: a whole device ("raw"). The capture writes
 *  dumps there below any file system; the next boot takes them out (kdump/dumps/waiting.h). */
#ifndef KDUMP_STORAGE_HELD_H
#define KDUMP_STORAGE_HELD_H

#include <stdbool.h>

#include "base/container.h"
#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/storage/target.h"

/** An open container. */
struct held {
	char *name; /* of the target, for messages: "raw /dev/vdb" */
	char *node; /* the block device, or the path of the file */
	int fd;
	bool unprotected;          /* the file is not immutable while it is open */
	struct kd_extents extents; /* of what @fd has open */
	struct kd_container *container;
};

/** Is the target that @request names a container? */
bool held_is_meant(const struct target_request *request);

/** Open the container of @request, to read it, or with @write to change its table as well. *ret is to be closed, and
 *  stays where it is: the container refers to it. KD_ERR_NOT_FOUND: no device, or no container on it; KD_ERR_FORMAT:
 *  it is damaged; KD_ERR_OS. */
struct kd_error *held_open(const struct kd_sysroot *root, const struct target_request *request, bool write,
			   struct held *ret) MUST_CHECK;
void held_close(struct held *held);
static inline void held_close_cleanup(struct held *held)
{
	held_close(held);
}

/** Resolve @request: type, device, options, path, node and available of @target. What the target is on may have become
 *  something else since it was prepared: that is refused by name. Nothing is written.
 *  KD_ERR_NOT_FOUND (device, container), KD_ERR_STATE (the device holds something else), KD_ERR_CONFIG (a copy of it is
 *  there as well), KD_ERR_FORMAT. */
struct kd_error *held_resolve(const struct kd_sysroot *root, const struct target_request *request,
			      struct target *target) MUST_CHECK;

/** Make the container of @request, if it is not there: whatever the device holds without having a name for it is lost.
 *  A device with a file system, a partition table or the like is refused, with @force, too. Without @force one that is
 *  not blank at both ends is refused, and so is a container whose dumps have not been collected. *made: was there
 *  none? KD_ERR_STATE, KD_ERR_LIMIT (too small), KD_ERR_NOT_FOUND, KD_ERR_OS. */
struct kd_error *held_prepare(const struct kd_sysroot *root, const struct target_request *request, bool force,
			      bool *made) MUST_CHECK;

/** Bytes that a dump can have there. */
uint64_t held_available(const struct kd_container *container);

/** The number of dumps that wait in it. */
unsigned int held_count(const struct kd_container *container);

#endif
