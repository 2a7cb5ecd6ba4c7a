/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Disks of servers in a plan: volumes that the capture gets by logging in to a server. Their first words are the same
 *  for each kind; what follows is the kind's own.
 *
 *      iscsi  DISK ADDRESS PORT TARGET GROUP INITIATOR [key:NAME]     iSCSI over TCP, by the program iscsistart(8)
 *      nvme   DISK ADDRESS PORT SUBSYSTEM HOSTNQN HOSTID              NVMe over TCP, by the kernel
 *      nvme-rdma   DISK ADDRESS PORT SUBSYSTEM HOSTNQN HOSTID         NVMe over RDMA, by the kernel
 *
 *  DISK ("DISK=…") is what base/device_spec.h calls the disk, by which everything else in the plan refers to it. A disk
 *  that is reached by several servers, or several addresses of one, has a line for each; one that works is enough.
 */
#ifndef BASE_SERVED_DISK_H
#define BASE_SERVED_DISK_H

#include <stdbool.h>

#include "base/plan.h"

#define KD_SERVED_ISCSI     "iscsi"
#define KD_SERVED_NVME      "nvme"
#define KD_SERVED_NVME_RDMA "nvme-rdma"

/** Places of words. */
enum kd_served_word {
	KD_SERVED_DISK,
	KD_SERVED_ADDRESS,
	KD_SERVED_PORT,
	KD_SERVED_NAME, /* of the iSCSI target, of the NVMe subsystem */
	KD_SERVED_ISCSI_GROUP,
	KD_SERVED_ISCSI_INITIATOR,
	KD_SERVED_ISCSI_KEY, /* may be missing: no CHAP */
	KD_SERVED_NVME_HOSTNQN = KD_SERVED_NAME + 1,
	KD_SERVED_NVME_HOSTID,
	KD_SERVED_WORDS = 6, /* that each kind has at least */
};

/** The secret of an iSCSI volume has these lines: user, password, and, if the target has to prove that it is the right
 *  one, the user and password of that. */
enum { KD_SERVED_CHAP_LINES = 4 };

/** The program that logs in to iSCSI targets, in the image, and on the healthy machine. */
#define KD_SERVED_ISCSI_PROGRAM "/usr/sbin/iscsistart"

/** Is @volume, with all the words that its kind needs, a disk of a server? */
bool kd_served_is(const struct kd_plan_volume *volume);

/** Is it the disk that @device of the plan names by "DISK=…" or "PATHS=…"? */
bool kd_served_is_disk(const struct kd_plan_volume *volume, const char *device);

#endif
