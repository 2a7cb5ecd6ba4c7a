/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What a kernel was configured with, from the file that distributions install beside it. */
#ifndef INITRAMFS_KERNEL_CONFIG_H
#define INITRAMFS_KERNEL_CONFIG_H

#include "base/error.h"
#include "base/sysroot.h"

enum kernel_config {
	KERNEL_CONFIG_UNKNOWN, /* there is no such file */
	KERNEL_CONFIG_NO,
	KERNEL_CONFIG_YES, /* "=y" */
};

/** Is kernel @release configured with @option ("CONFIG_RD_GZIP")? KD_ERR_NOMEM. */
struct kd_error *kernel_config_find(const struct kd_sysroot *root, const char *release, const char *option,
				    enum kernel_config *ret) MUST_CHECK;

#endif
