/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The types of dump targets: one row for each, with the facts that kdump.conf(5), the search for the target, the image
 *  and the capture share.
 *
 *  Adding a type takes its row here, and code only where it needs a step that no other type needs: a row in the table
 *  of such steps in capture/target.c (before a mount). */
#ifndef BASE_TARGET_TYPES_H
#define BASE_TARGET_TYPES_H

#include <stdbool.h>

/** What a target is mounted by. */
enum kd_target_source {
	KD_TARGET_BLOCK,   /* a block device: base/device_name.h */
	KD_TARGET_TAG,     /* a word that the host of a virtual machine has given to a directory */
	KD_TARGET_NFS,     /* a directory of a server: "ADDRESS:/PATH" */
	KD_TARGET_OBJECTS, /* a server of objects that are written once: a URL */
	KD_TARGET_SSH,     /* a server that is reached by ssh(1): "USER@ADDRESS" */
	/* A container (base/container.h), whose extents are the target's options: */
	KD_TARGET_RAW,      /* a block device */
	KD_TARGET_RESERVED, /* the sectors of a file */
};

struct kd_target_type {
	const char *name; /* of the directive in kdump.conf, of the type in the plan, and of the kernel's file system */
	enum kd_target_source source;
	const char *devices; /* KD_TARGET_TAG: where sysfs lists the devices of the driver */
	const char *options; /* with which a mount shows what mountinfo counts paths from; "" for none */
	const char *always;  /* mount options of every capture, which win over those of fstab; NULL: none */
	const char *program; /* that the image must have to reach it; NULL: none */
	bool subvolumes;     /* "subvol=" chooses what a mount shows, and paths of kdump.conf count from there */
	/* It may span several block devices. /sys/fs/NAME lists them, and the kernel must be told of each. */
	bool several_devices;
};

/** Do dumps go to a container, from which the next boot takes them? */
static inline bool kd_target_is_container(const struct kd_target_type *type)
{
	return type->source == KD_TARGET_RAW || type->source == KD_TARGET_RESERVED;
}

/** The type of that name; NULL if there is none. */
const struct kd_target_type *kd_target_type_find(const char *name);

/** What messages recommend to somebody whose target cannot be used. */
#define KD_TARGET_RECOMMENDED "ext2, ext3, ext4, xfs or btrfs"

#endif
