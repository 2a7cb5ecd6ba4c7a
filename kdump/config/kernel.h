/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The capture kernel: normally a second instance of the running kernel. */
#ifndef KDUMP_CONFIG_KERNEL_H
#define KDUMP_CONFIG_KERNEL_H

#include <stdbool.h>

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/config/settings.h"

struct kernel {
	char *release; /* uname -r */
	char *path;    /* its file, below the system root */
};

/** Find the file of kernel @release (NULL: KDUMP_KERNELVER of @settings, else the running kernel).
 *  KD_ERR_NOT_FOUND names every place that was tried; KD_ERR_CONFIG: @release is not a kernel release. */
struct kd_error *kernel_find(const struct kd_sysroot *root, const struct settings *settings, const char *release,
			     struct kernel *ret) MUST_CHECK;

/** Find the initramfs with which a boot loader starts @kernel, beside it or in /boot. *ret is owned by the caller.
 *  KD_ERR_NOT_FOUND names every place that was tried. */
struct kd_error *kernel_find_initrd(const struct kd_sysroot *root, const struct kernel *kernel, char **ret) MUST_CHECK;

/** Is @text a kernel release? It becomes part of paths, so it must not lead to another directory. */
bool kernel_is_release(const char *text);

/** The path of the capture initramfs for kernel @release, in @directory, which is KD_STATEDIR except in dry runs.
 *  *ret is owned by the caller. KD_ERR_NOMEM. */
struct kd_error *kernel_initramfs(const char *directory, const char *release, char **ret) MUST_CHECK;

/** Make a link to @image, the capture initramfs for @release, where Red Hat's is and collectors look for it:
 *  /boot/initramfs-RELEASEkdump.img. A file of somebody else stays there. Failure costs nothing and is not told, as on
 *  a /boot that has no links (FAT) or cannot be written. */
void kernel_link_initramfs(const struct kd_sysroot *root, const char *release, const char *image);
/** Remove that link. */
void kernel_unlink_initramfs(const struct kd_sysroot *root, const char *release);

/** A zeroed struct is allowed. */
void kernel_free(struct kernel *kernel);
static inline void kernel_free_cleanup(struct kernel *kernel)
{
	kernel_free(kernel);
}

#endif
