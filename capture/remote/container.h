/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A container (base/container.h) as a directory that dumps are written to.
 *
 *  What is in it stays: nothing that an earlier crash has left is changed or removed, and a dump never takes the last
 *  space, so that the log of a later crash finds room. The device's page cache stays small: what was written is on its
 *  way to the device at once. A table is written when a file is synced, closed, renamed or removed, and while a long
 *  one grows. / */
#ifndef CAPTURE_REMOTE_CONTAINER_H
#define CAPTURE_REMOTE_CONTAINER_H

#include <stdint.h>

#include "base/error.h"
#include "base/extents.h"
#include "capture/remote/remote.h"

/** Open the container @uuid (as text) on the pieces @extents, which are borrowed, of the device or file @node. Nothing
 *  is written, and nothing ever is if another container is there, or none. KD_ERR_STATE (another one), and the errors
 *  of kd_container_open(). */
struct kd_error *container_open(const char *node, const struct kd_extents *extents, const char *uuid,
				struct remote **ret) MUST_CHECK;
/** NULL is allowed. */
void container_close(struct remote *remote);

/** Mount the container of a target (base/target_types.h: KD_TARGET_CONTAINER) at @mount_point: it is on @node, which
 *  @device, the plan's name of it, gives the UUID of, at the plan's @extents. A process that stays serves it until it
 *  is unmounted. Errors as above; KD_ERR_FORMAT: @device or @extents say nothing. */
struct kd_error *container_mount(const char *node, const char *device, const char *extents,
				 const char *mount_point) MUST_CHECK;

#endif
