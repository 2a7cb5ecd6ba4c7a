/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The record of the image that kdumpctl has loaded: the kernel only tells that one is loaded. The record lies in /run,
 *  which ends with the boot. */
#ifndef KDUMP_ARMING_ARMED_H
#define KDUMP_ARMING_ARMED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/record.h"
#include "base/sysroot.h"
#include "kdump/arming/inputs.h"

#define ARMED_PATH KD_RUNDIR "/armed"

/** A target that could not be had at the load. */
struct left_out {
	unsigned int member; /* its place in the chain, from 0 */
	char *text;          /* "/etc/kdump.conf:3: target ext4 UUID=… is left out: …", one line */
};

/** The file has "key value" lines, one "left_out MEMBER TEXT" line for each target without which the machine is armed,
 *  and one "input …" line for each input. Strings are owned; NULL: not set. */
struct armed {
	char *boot_id; /* of the boot it was loaded in */
	char *kernel;  /* file */
	char *release;
	char *initrd;      /* file */
	char *initrd_hash; /* SHA-256 of that file as it was loaded, hex */
	char *image_hash;  /* SHA-256 of the loaded image, see loader_image_hash() */
	char *conf;        /* configuration file */
	char *cmdline;     /* of the capture kernel */
	char *call;        /* "kexec_load" or "kexec_file_load" */
	char *target;      /* "ext4 UUID=… /var/crash" */
	char *directory;   /* where on this machine dumps arrive; NULL: not mounted */
	char *map;         /* where a capture writes, see kept_map() */
	char *fallback;    /* why this earlier image was loaded; NULL: it was made for the load */
	char *comeback;    /* the kernel to return to, or why there is none; NULL: none is wanted */
	char *crashes;     /* how near the machine is to a crash loop; NULL: no limit is set */
	uint64_t time;     /* when it was loaded, seconds since the epoch */
	struct left_out *left_out;
	size_t left_out_count;
	struct inputs inputs; /* the image was made from them */
};

/** Write the record atomically. */
struct kd_error *armed_write(const struct kd_sysroot *root, const struct armed *armed) MUST_CHECK;

/** Read the record. *found is false, and *ret zeroed, if there is none or if it is of an earlier boot. */
struct kd_error *armed_read(const struct kd_sysroot *root, struct armed *ret, bool *found) MUST_CHECK;

/** The same with a record at another place, and of any boot. Where there is none: KD_ERR_OS (ENOENT). *ret is untouched
 *  on failure. */
struct kd_error *armed_write_to(const struct kd_sysroot *root, const char *path, mode_t mode,
				const struct armed *armed) MUST_CHECK;
struct kd_error *armed_read_from(const struct kd_sysroot *root, const char *path, struct armed *ret) MUST_CHECK;

/** Add a target that is left out. */
struct kd_error *armed_add_left_out(struct armed *armed, unsigned int member, const char *text) MUST_CHECK;
void armed_free_left_out(struct armed *armed);

/** "kernel 6.1.0-21-amd64, dumps go to ext4 UUID=… /var/crash", and which targets are left out; owned by the caller,
 *  NULL: no memory. */
char *armed_describe(const struct armed *armed);

/** Remove the record. A record that does not exist is success. */
struct kd_error *armed_remove(const struct kd_sysroot *root) MUST_CHECK;

/** A zeroed struct is allowed. */
void armed_free(struct armed *armed);
static inline void armed_free_cleanup(struct armed *armed)
{
	armed_free(armed);
}

/** The state of the machine, by the kernel and the record. */
enum armed_state {
	ARMED_NOTHING, /* nothing is loaded */
	ARMED_OURS,    /* the image of the record is loaded */
	ARMED_FOREIGN, /* another program has loaded an image */
	ARMED_TRIAL,   /* this kernel is on trial: a panic starts the old kernel, if that could be loaded */
	ARMED_LOST,    /* kdumpctl had loaded an image; another program unloaded it, or a later load failed half-way */
};
enum armed_state armed_judge(bool loaded, bool recorded);

/** SHA-256 (hex) of a file below @root. *ret is owned by the caller. */
struct kd_error *armed_hash_file(const struct kd_sysroot *root, const char *path, char **ret) MUST_CHECK;

#endif
