/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What the armed image was made from: each file, device, mount and piece of hardware with its identity at that time.
 *  Compared later, they tell whether the image still fits the machine, and if not, why.
 *
 *  An identity is a word without blanks: a SHA-256, what stat(2) says of a file, a device's number … "-" stands for
 *  something that is not there. Secrets (keys) are never hashed, since the record can be read by everybody. */
#ifndef KDUMP_ARMING_INPUTS_H
#define KDUMP_ARMING_INPUTS_H

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

/** One of the names below. */
const char *inputs_kind(const struct input *input);

/** Kinds, for inputs_add(). */
#define INPUT_CONFIG    "config"    /* a configuration file, by its content; may be absent */
#define INPUT_HOOKS     "hooks"     /* a directory of hooks */
#define INPUT_KERNEL    "kernel"    /* the kernel's file */
#define INPUT_INITRAMFS "initramfs" /* the image as it lies on the disk */
#define INPUT_INDEX     "index"     /* modules.dep, by its content */
#define INPUT_MODULE    "module"    /* a module's file */
#define INPUT_PROGRAM   "program"   /* hooks, collector, extra_bins, the capture program */
#define INPUT_KEY       "key"       /* a file with a secret that was put into the image */
#define INPUT_DEVICE    "device"    /* the target's device: "UUID=…" or a path */
#define INPUT_VOLUME    "volume"    /* what LVM, RAID or encryption made of other devices; by its name in the plan */
#define INPUT_MOUNT     "mount"     /* the mount through which this directory is reached */
#define INPUT_FSTAB     "fstab"     /* the line of /etc/fstab for this device */
#define INPUT_CPUS      "cpus"      /* the CPUs that are there; name "CPUs" */
#define INPUT_MEMORY    "memory"    /* the machine's memory; name "memory" */

/** Note @name with the identity that it has now. What cannot be told (no permission) is left out, and so is what is
 *  there already. */
struct kd_error *inputs_add(const struct kd_sysroot *root, struct inputs *inputs, const char *kind,
			    const char *name) MUST_CHECK;

/** Note what @plan names: its programs and the directories of hooks. */
struct kd_error *inputs_add_plan(const struct kd_sysroot *root, struct inputs *inputs,
				 const struct kd_plan *plan) MUST_CHECK;

/** Note the modules of @plan, and the index in which they were found. */
struct kd_error *inputs_add_modules(const struct kd_sysroot *root, struct inputs *inputs,
				    const struct kd_plan *plan) MUST_CHECK;

/** Note CPUs and memory, unless the kernel keeps what is loaded now up to date by itself. */
struct kd_error *inputs_add_hardware(const struct kd_sysroot *root, struct inputs *inputs) MUST_CHECK;

/** "input KIND IDENTITY NAME" lines. */
void inputs_print(const struct inputs *inputs, FILE *out);

/** What follows "input " in such a line. Kinds of other versions are passed over. KD_ERR_FORMAT. */
struct kd_error *inputs_parse_line(const char *line, struct inputs *inputs) MUST_CHECK;

/** A zeroed struct is allowed. */
void inputs_free(struct inputs *inputs);
static inline void inputs_free_cleanup(struct inputs *inputs)
{
	inputs_free(inputs);
}

/** Something that is not as it was. */
struct input_change {
	const char *kind, *name; /* borrowed from the inputs */
	const char *how;         /* "has changed", "is gone", "is there now" */
	const char *meaning;     /* what follows from that */
	const char *remedy;      /* what to do */
};

/** *ret: owned by the caller (free), in the order of @inputs. What cannot be told is not a change. */
struct kd_error *inputs_compare(const struct kd_sysroot *root, const struct inputs *inputs, struct input_change **ret,
				size_t *count_ret) MUST_CHECK;

#endif
