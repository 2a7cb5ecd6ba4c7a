/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Build the capture initramfs: the capture program as /init, the plan, the modules that the plan's targets need,
 *  and what the user asked for. Nothing else.
 */
#ifndef INITRAMFS_INITRAMFS_H
#define INITRAMFS_INITRAMFS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"

struct initramfs_request {
	const struct kd_sysroot *root; /* the machine: /sys, /lib/modules, /dev/disk */
	struct kd_plan *plan;          /* kernel_release and targets set; modules are appended here in insertion order */
	const char *capture;           /* host path of the static program that becomes /init */
	char *const *extra_bins;       /* NULL-terminated, may be NULL: programs, with their libraries */
	char *const *extra_modules;    /* NULL-terminated, may be NULL */
	const char *output;            /* written atomically, mode 0600 */
	bool force;                    /* build even if nothing changed */
	bool no_rebuild;               /* take an existing image whatever has changed */
	const struct kd_log *log;
};

struct initramfs_result {
	bool rebuilt;
	char hash[65];          /* SHA-256 (hex) of everything that went in */
	uint64_t image_size;    /* bytes on disk */
	uint64_t unpacked_size; /* bytes that the capture kernel's rootfs takes */
};

/** Build @request->output unless the image there was made from the same inputs (content hash, kept in the image's
 *  sibling "<output>.hash"). */
struct kd_error *initramfs_build(const struct initramfs_request *request, struct initramfs_result *ret) MUST_CHECK;

#endif
