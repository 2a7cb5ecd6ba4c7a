/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Load a kernel to be run on panic, or at the next reboot. One design, two policies.
 *
 *  loader_prepare() reads and computes: everything is decided, placed, built and checked, on any host, with any
 *  sysroot. loader_load() makes the system call. In between the layout can be printed.
 */
#ifndef KDUMP_LOADER_LOADER_H
#define KDUMP_LOADER_LOADER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/sysroot.h"

enum loader_policy {
	LOADER_PANIC,  /* into the crashkernel reservation, run by crash_kexec() */
	LOADER_REBOOT, /* anywhere in RAM, run by reboot(LINUX_REBOOT_CMD_KEXEC) */
};

enum loader_call {
	LOADER_CALL_AUTO,      /* kexec_load(2); kexec_file_load(2) when lockdown or a signature policy demands it */
	LOADER_CALL_LOAD,      /* kexec_load(2) only (kexec -c) */
	LOADER_CALL_FILE_LOAD, /* kexec_file_load(2) only (kexec -s) */
};

struct loader_request {
	const struct kd_sysroot *root;  /* the machine */
	const struct kd_sysroot *files; /* where kernel and initrd are; NULL: on that machine */
	enum loader_policy policy;
	enum loader_call call;
	const char *kernel;  /* path below files */
	const char *initrd;  /* path below files, or NULL */
	const char *cmdline; /* whole command line, without elfcorehdr= */
	bool no_checksum;    /* leave the segments out of purgatory's SHA-256 */
	unsigned int
		corrupt_segment;  /* for tests: change a byte of this segment (from 1) after the checksum; 0: none */
	const struct kd_log *log; /* borrowed by the image; may be NULL */
};

struct loader_image; /* everything that the call needs, as plain data */

/** KD_ERR_STATE (no reservation; not root, so the addresses in iomem are hidden), KD_ERR_LIMIT (does not fit: says how
 *  much is needed and how much there is), KD_ERR_FORMAT (not a kernel, truncated, another architecture). */
struct kd_error *loader_prepare(const struct loader_request *request, struct loader_image **ret) MUST_CHECK;
void loader_image_free(struct loader_image *image);
DEFINE_CLEANUP(struct loader_image *, loader_image_free)

/** Add to @sha what tells this image from others: kernel, initrd, command line, elfcorehdr, and where everything goes.
 *  The random seed, which is new each time, is left out. */
void loader_image_hash(const struct loader_image *image, struct kd_sha256 *sha);

/** Segments, e820 table, elfcorehdr and command line, for people and for tests. */
void loader_print(const struct loader_image *image, FILE *out);

/** Load it. What was armed before stays armed, also when the kernel's signature is refused. (A panic kernel is lost
 *  where kexec_load(2) fails late, for lack of memory or a reservation that shrank meanwhile.)
 *  @how_ret (may be NULL) := "kexec_load" or "kexec_file_load". KD_ERR_STATE with errnum set: the machine forbids it.
 */
struct kd_error *loader_load(const struct loader_image *image, const char **how_ret) MUST_CHECK;

/** Unload; nothing loaded is success. Works under lockdown. */
struct kd_error *loader_unload(enum loader_policy policy) MUST_CHECK;

/** Is an image of this policy loaded? Reads /sys/kernel/kexec/{crash_,}loaded, then the old names. KD_ERR_STATE when
 *  the kernel has no kexec at all. */
struct kd_error *loader_loaded(const struct kd_sysroot *root, enum loader_policy policy, bool *ret) MUST_CHECK;

/** Bytes reserved for the panic kernel (0: none). */
struct kd_error *loader_crash_size(const struct kd_sysroot *root, uint64_t *ret) MUST_CHECK;

/** The kernel's lockdown ("integrity", "confidentiality"), owned by the caller; NULL: none, or it does not tell. */
struct kd_error *loader_lockdown(const struct kd_sysroot *root, char **ret) MUST_CHECK;

/** The capture kernel's command line, derived from the running kernel's: what only makes sense there is removed
 *  (@remove: extra names, blank separated, may be NULL), the capture's own options are appended (@append: more of
 *  them, may be NULL). The built-in lists are documented in kdumpctl(8). *ret is owned by the caller. */
struct kd_error *loader_capture_cmdline(const struct kd_sysroot *root, const char *remove, const char *append,
					char **ret) MUST_CHECK;

/** @cmdline without the parameters whose names are in @remove: whole names, blank separated; '-' and '_' are the same;
 *  a trailing '*' stands for any rest. *ret is owned by the caller. */
struct kd_error *loader_cmdline_remove(const char *cmdline, const char *remove, char **ret) MUST_CHECK;

/** Run what LOADER_REBOOT loaded, at once: nothing is stopped, synced or unmounted. Returns only on failure. */
struct kd_error *loader_reboot(void) MUST_CHECK;

#endif
