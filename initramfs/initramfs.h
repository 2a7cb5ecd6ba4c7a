/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Build the capture initramfs: the capture program as /init, the plan, the modules that the plan's targets need, and
 *  the programs and modules that the user asked for. It holds nothing else. Keys of encrypted volumes are not in it:
 *  they are put behind it in memory (secrets.h).
 *
 *  Inside the image: /init, /etc/kdump.plan, /lib/modules/NAME.ko.gz, /dev/console, empty /dev /mnt /proc /run /sys
 *  /tmp, and programs and libraries as base/programs.h has them.
 */
#ifndef INITRAMFS_INITRAMFS_H
#define INITRAMFS_INITRAMFS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "initramfs/image.h"

struct initramfs_request {
	const struct kd_sysroot *root; /* the machine: /sys, /lib/modules, /dev/disk, programs */
	struct kd_plan *plan;       /* kernel_release and targets set; its modules are replaced, in insertion order */
	const char *capture;        /* host path of the static program that saves the dump: /init, or, when its sibling
			       * "<capture>-init" exists, /capture.gz, and that sibling is /init and expands it */
	char *const *extra_bins;    /* NULL-terminated, may be NULL: programs, with their libraries */
	char *const *extra_modules; /* NULL-terminated, may be NULL */
	char *const *extra_files;   /* NULL-terminated, may be NULL: see extra_file.h */
	const char *output;         /* written atomically, mode 0600; its directory is created if it is missing */
	enum image_compression compression; /* of the archive as a whole; none if the kernel could not expand it */
	bool force;                         /* build even if nothing changed */
	bool no_rebuild;                    /* use an existing image even if its inputs have changed */
	const struct kd_log *log;           /* may be NULL */
};

struct initramfs_result {
	bool rebuilt;
	char hash[HASH_TEXT_SIZE]; /* SHA-256 (hex) of all inputs */
	uint64_t image_size;       /* bytes on disk */
	uint64_t unpacked_size;    /* bytes that the capture kernel's rootfs takes */
};

/** Build @request->output unless the image there was made from the same inputs (content hash, kept in the image's
 *  sibling "<output>.hash") and is undamaged. A new time of the plan alone is not a change.
 *
 *  Beside extra_bins, the plan's hooks and a collector that is not built in bring their programs, and failure action
 *  "shell" brings /bin/sh.
 *
 *  KD_ERR_NOT_FOUND: a target device, driver, program or library is missing. KD_ERR_UNSUPPORTED: the capture
 *  environment cannot reach a target (see drivers.h). An extra module that does not exist only causes a warning. */
struct kd_error *initramfs_build(const struct initramfs_request *request, struct initramfs_result *ret) MUST_CHECK;

#endif
