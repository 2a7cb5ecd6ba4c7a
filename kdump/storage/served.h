/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Disks that the running machine has from a server, over iSCSI or NVMe over TCP or RDMA: what the capture needs to log
 *  in there again, from the session that there is (Linux drivers/scsi/scsi_transport_iscsi.c and
 *  drivers/nvme/host/sysfs.c). */
#ifndef KDUMP_STORAGE_SERVED_H
#define KDUMP_STORAGE_SERVED_H

#include "base/error.h"
#include "base/plan.h"
#include "base/sysroot.h"

/** If @disk, below /sys/class/block, is a disk of a server, add a volume to @plan for each way to it
 *  (base/served_disk.h). KD_ERR_UNSUPPORTED: it is reached in a way that the capture does not know; the text says which
 *  one, and what to do. */
struct kd_error *served_resolve(const struct kd_sysroot *root, const char *disk, struct kd_plan *plan) MUST_CHECK;

/** The secret of the iSCSI session to @target at @address, as base/served_disk.h has it. *ret is owned by the caller,
 *  to be freed by kd_secret_free(). KD_ERR_NOT_FOUND: there is no such session. */
struct kd_error *served_secret(const struct kd_sysroot *root, const char *target, const char *address,
			       char **ret) MUST_CHECK;

#endif
