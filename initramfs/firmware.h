/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Files of firmware that modules load into their devices. A module tells which it may ask for; a driver that does not
 *  get what it needs drives nothing. */
#ifndef INITRAMFS_FIRMWARE_H
#define INITRAMFS_FIRMWARE_H

#include <stddef.h>

#include "base/error.h"
#include "base/sysroot.h"
#include "initramfs/image.h"
#include "initramfs/modules.h"

struct firmware {
	struct firmware_file {
		char *path;         /* on the machine */
		char *name;         /* that the module asks for: "qed/qed_init_values_zipped-8.42.2.0.bin" */
		const char *suffix; /* of the path behind the name: "", ".xz", ".zst" */
	} * file;
	size_t count;
	struct names missing;   /* "MODULE: NAME" of files that the machine does not have */
	struct names destitute; /* modules that name files, none of which the machine has */
};

/** Find what the modules that @modules has visited may ask for, as the kernel looks for it: a module that is built into
 *  kernel @release counts too. Patterns are expanded. */
struct kd_error *firmware_find(const struct kd_sysroot *root, const char *release, const struct modules *modules,
			       struct firmware *ret) MUST_CHECK;

/** Add the files to @image, below /lib/firmware. One that is compressed is expanded unless the kernel can do that. */
struct kd_error *firmware_add(const struct kd_sysroot *root, const char *release, const struct firmware *firmware,
			      struct image *image) MUST_CHECK;

/** A zeroed struct is allowed. */
void firmware_free(struct firmware *firmware);
static inline void firmware_free_cleanup(struct firmware *firmware)
{
	firmware_free(firmware);
}

#endif
