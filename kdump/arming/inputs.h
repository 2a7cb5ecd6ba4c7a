/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The inputs of the armed image: each file, device, mount and kind of hardware that it was made from, with its
 *  identity at that time. Comparing them later tells whether the image still fits the machine, and if not, why.
 *
 *  An identity is a word without blanks: a SHA-256, the figures of stat(2), a device's number … "-" is the identity
 *  of an input that does not exist. Secrets (keys) are never hashed, since everybody can read the record. */
#ifndef KDUMP_ARMING_INPUTS_H
#define KDUMP_ARMING_INPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "kdump/config/conf.h"

struct input_kind; /* a row of the table in inputs.c */

struct input {
	const struct input_kind *kind;
	char *name; /* a path, "UUID=…" or the name of a kind of hardware */
	char *identity;
};

struct inputs {
	struct input *input;
	size_t count;
};

/** The name of the input's kind, one of those below. */
const char *inputs_kind(const struct input *input);

/** Kinds, for inputs_add(). */
#define INPUT_CONFIG    "config"    /* a configuration file, by its content; may be absent */
#define INPUT_DROP_INS  "drop-ins"  /* a directory of configuration files; may be absent */
#define INPUT_HOOKS     "hooks"     /* a directory of hooks */
#define INPUT_KERNEL    "kernel"    /* the kernel's file */
#define INPUT_INITRAMFS "initramfs" /* the image as it lies on the disk */
#define INPUT_INDEX     "index"     /* modules.dep, by its content */
#define INPUT_MODULE    "module"    /* a module's file */
#define INPUT_FIRMWARE  "firmware"  /* a file that a module loads into its device */
#define INPUT_PROGRAM   "program"   /* hooks, collector, extra_bins, the capture program */
#define INPUT_RETURN    "return"    /* a file of the kernel that final_action kexec returns to */
#define INPUT_FILE      "file"      /* extra_files */
#define INPUT_DEVICE    "device"    /* the target's device: "UUID=…" or a path */
#define INPUT_VOLUME    "volume"    /* a device made by LVM, RAID or encryption, by its name in the plan */
#define INPUT_RESERVED  "reserved"  /* a reserved file, by where its data lies */
#define INPUT_MOUNT     "mount"     /* the mount through which this directory is reached */
#define INPUT_NETWORK   "network"   /* the way to the server with this address */
#define INPUT_FSTAB     "fstab"     /* the line of /etc/fstab for this device */
#define INPUT_CPUS      "cpus"      /* the CPUs that are present; name "CPUs" */
#define INPUT_MEMORY    "memory"    /* the machine's memory; name "memory" */
#define INPUT_WATCHDOG  "watchdog"  /* the watchdogs that run; name "watchdog" */

/** Add @name with its present identity. An input whose identity cannot be read (no permission) is left out, and so is
 *  one that the list already has. */
struct kd_error *inputs_add(const struct kd_sysroot *root, struct inputs *inputs, const char *kind,
			    const char *name) MUST_CHECK;

/** Add the programs and devices that @plan names, and the directories of hooks. */
struct kd_error *inputs_add_plan(const struct kd_sysroot *root, struct inputs *inputs,
				 const struct kd_plan *plan) MUST_CHECK;

/** Add the modules of @plan, the firmware that they load, and the index in which they were found. */
struct kd_error *inputs_add_modules(const struct kd_sysroot *root, struct inputs *inputs,
				    const struct kd_plan *plan) MUST_CHECK;

/** Add CPUs and memory, unless the kernel itself keeps the loaded image up to date. */
struct kd_error *inputs_add_hardware(const struct kd_sysroot *root, struct inputs *inputs) MUST_CHECK;

/** Add the inputs of an image that was made in an earlier boot, @kept: files with their identity of then, devices,
 *  mounts and hardware with the present one. */
struct kd_error *inputs_recall(const struct kd_sysroot *root, const struct inputs *kept, struct inputs *ret) MUST_CHECK;

/** Print an "input KIND IDENTITY NAME" line for each input. */
void inputs_print(const struct inputs *inputs, FILE *out);

/** Add the input of @line, which is such a line without "input ". Kinds of other versions are skipped.
 *  KD_ERR_FORMAT. */
struct kd_error *inputs_parse_line(const char *line, struct inputs *inputs) MUST_CHECK;

/** A zeroed struct is allowed. */
void inputs_free(struct inputs *inputs);
static inline void inputs_free_cleanup(struct inputs *inputs)
{
	inputs_free(inputs);
}

/** An input whose identity has changed, or that cannot be checked. */
struct input_change {
	const char *kind, *name; /* borrowed from the inputs */
	const char *how;         /* "has changed", "has disappeared", "has appeared", "has been unreadable" */
	bool dangerous;          /* a capture by the armed image could write where it must not */
	const char *meaning;     /* what follows from the change */
	const char *remedy;      /* what to do about it */
};

/** Compare @inputs with the machine as it is now. *ret has the changes in the order of @inputs, and is owned by the
 *  caller (free()). An identity that only root may read is not a change, nor is what a process with other mounts than
 *  the machine's (mounts_are_private()) does not see. KD_ERR_NOMEM. */
struct kd_error *inputs_compare(const struct kd_sysroot *root, const struct inputs *inputs, struct input_change **ret,
				size_t *count_ret) MUST_CHECK;

#endif
