/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/target_types.h"

#include <stddef.h>
#include <string.h>

#include "base/array.h"

/* A superblock may say errors=panic: the damage that crashed this machine would crash its capture kernel as well. */
#define EXT_ALWAYS "errors=continue"
/* Inode tables that mkfs has left to the kernel to write are no business of a capture. */
#define EXT4_ALWAYS EXT_ALWAYS ",noinit_itable"

static const struct kd_target_type types[] = {
	{ .name = "ext2", .options = "", .always = EXT_ALWAYS },
	{ .name = "ext3", .options = "", .always = EXT_ALWAYS },
	{ .name = "ext4", .options = "", .always = EXT4_ALWAYS },
	{ .name = "minix", .options = "" },
	{ .name = "xfs", .options = "" },
	{
		.name = "btrfs",
		/* Without it the default subvolume would be mounted; mountinfo counts from the top, which is number 5
		 * (BTRFS_FS_TREE_OBJECTID). */
		.options = "subvolid=5",
		.subvolumes = true,
		.several_devices = true,
	},
	{ .name = "nfs", .source = KD_TARGET_NFS, .options = "" },
	{ .name = "http", .source = KD_TARGET_OBJECTS, .options = "", .program = KD_LIBEXECDIR "/kdump-http" },
	{ .name = "s3", .source = KD_TARGET_OBJECTS, .options = "", .program = KD_LIBEXECDIR "/kdump-http" },
	{ .name = "ssh", .source = KD_TARGET_SSH, .options = "", .program = "/usr/bin/ssh" },
	{ .name = "raw", .source = KD_TARGET_RAW, .options = "" },
	{ .name = "reserved_file", .source = KD_TARGET_RESERVED, .options = "" },
	{
		.name = "virtiofs",
		.source = KD_TARGET_TAG,
		.devices = "/sys/bus/virtio/drivers/virtiofs",
		.options = "",
	},
};

const struct kd_target_type *kd_target_type_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(name, types[i].name) == 0)
			return &types[i];
	return NULL;
}
