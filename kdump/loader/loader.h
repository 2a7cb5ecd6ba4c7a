/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Load a kernel that starts on panic or at the next reboot: one design, two policies.
 *
 *  loader_prepare() reads and computes: it decides, places, builds and checks everything, on any host, with any
 *  sysroot. loader_load() makes the system call. In between, loader_print() can print the layout.
 */
#ifndef KDUMP_LOADER_LOADER_H
#define KDUMP_LOADER_LOADER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/handover.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/sysroot.h"

enum loader_policy {
	LOADER_PANIC,  /* goes into the crashkernel reservation; crash_kexec() starts it */
	LOADER_REBOOT, /* goes anywhere in RAM; reboot(LINUX_REBOOT_CMD_KEXEC) starts it */
	LOADER_RETURN, /* as LOADER_REBOOT, but a capture kernel loads and starts it (loader_handover()) */
};

enum loader_call {
	LOADER_CALL_AUTO,      /* kexec_load(2); kexec_file_load(2) when lockdown or a signature policy demands it */
	LOADER_CALL_LOAD,      /* kexec_load(2) only (kexec -c) */
	LOADER_CALL_FILE_LOAD, /* kexec_file_load(2) only (kexec -s) */
};

struct loader_request {
	const struct kd_sysroot *root;  /* the machine */
	const struct kd_sysroot *files; /* where kernel and initrd are; NULL: below root */
	enum loader_policy policy;
	enum loader_call call;
	const char *kernel;              /* path below files */
	const char *initrd;              /* path below files; NULL: none, or the one in the unified kernel image */
	const char *const *more_initrds; /* more paths, whose contents follow; NULL ends the list; NULL: none */
	const char *dtb;    /* device tree, path below files; NULL: the running kernel's. Only for aarch64 */
	const void *secret; /* archive that is put behind the initrd, in memory only, and wiped; NULL: none */
	size_t secret_size;
	const char *cmdline; /* whole command line, without elfcorehdr=; NULL: of the unified kernel image, or empty */
	uint64_t mem_min, mem_max;    /* segments lie in [mem_min, mem_max); 0 as mem_max: no limit */
	bool fast;                    /* LOADER_REBOOT: start the kernel that a bzImage has compressed inside it, laid
				       * out here; where that cannot be, the bzImage, and the log says why */
	bool whole_machine;           /* LOADER_PANIC: not a capture kernel, see below */
	bool no_checksum;             /* the purgatory does not check the segments */
	unsigned int corrupt_segment; /* for tests: flip a bit of this segment (from 1) after the checksum; 0: none */
	const struct kd_log *log;     /* borrowed by the image; may be NULL */
};

struct loader_image; /* everything that the call needs, as plain data */

/** With whole_machine, a panic starts a kernel that takes the machine over instead of capturing: all memory is its own,
 *  and it has no elfcorehdr. Nothing has stopped the devices by then, so the purgatory clears the right of every PCI
 *  device of segment 0 to write to memory, before it checks the segments. Only kexec_load(2) can load it.
 *
 *  KD_ERR_STATE: no reservation, or not root, so /proc/iomem hides its addresses. KD_ERR_LIMIT: does not fit; the text
 *  says how much is needed and how much there is. KD_ERR_FORMAT, KD_ERR_UNSUPPORTED: as in image.h. */
struct kd_error *loader_prepare(const struct loader_request *request, struct loader_image **ret) MUST_CHECK;
void loader_image_free(struct loader_image *image);
DEFINE_CLEANUP(struct loader_image *, loader_image_free)

/** The bytes that a reservation must have for @request, a whole_machine one. Errors as of loader_prepare(). */
struct kd_error *loader_whole_machine_need(const struct loader_request *request, uint64_t *ret) MUST_CHECK;

/** Add everything to @sha that distinguishes this image from others: kernel, initrd, command line, elfcorehdr, and all
 *  addresses. The random seed is left out, since it is new each time. */
void loader_image_hash(const struct loader_image *image, struct kd_sha256 *sha);

/** Bytes that its segments take in memory. */
uint64_t loader_image_memory(const struct loader_image *image);

/** Why the kernel of @image, which was to start fast, is decompressed after the jump. Borrowed. NULL: it starts fast,
 *  or was not to. */
const char *loader_image_not_fast(const struct loader_image *image);

/** Segments, e820 table, elfcorehdr and command line, for people and for tests. */
void loader_print(const struct loader_image *image, FILE *out);

/** Load the image. If that fails, the kernel that was armed before stays armed, even when the running kernel refuses
 *  the signature. Exception: kexec_load(2) drops a panic kernel when it fails late, for lack of memory or because the
 *  reservation has shrunk meanwhile. @how_ret (may be NULL) := "kexec_load" or "kexec_file_load". KD_ERR_STATE with
 *  errnum set: the machine forbids the call. */
struct kd_error *loader_load(const struct loader_image *image, const char **how_ret) MUST_CHECK;

/** Lay out the kernel to which a capture kernel returns, with policy LOADER_RETURN, for this machine as it is now: its
 *  whole memory, and a place outside the crashkernel reservation. The capture kernel finds @request->kernel as @kernel
 *  on its file system, and @request->initrd as @initrd. *ret gets entry, seed and segments; the bytes of those with
 *  in_image are in *parts_ret, by the number of the segment.
 *
 *  KD_ERR_UNSUPPORTED: not on this architecture, under lockdown, with encrypted memory, or not with this kernel file,
 *  whose bytes lie in no other file. KD_ERR_LIMIT: the capture kernel would not have the room. */
struct loader_part {
	void *data; /* owned */
	size_t size;
};
struct loader_parts {
	struct loader_part part[16]; /* by the number of their segment; data NULL: it is in a file */
};
struct kd_error *loader_handover(const struct loader_request *request, const char *kernel, const char *initrd,
				 struct kd_handover *ret, struct loader_parts *parts_ret) MUST_CHECK;
void loader_parts_free(struct loader_parts *parts); /* zeroed is allowed */
static inline void loader_parts_free_cleanup(struct loader_parts *parts)
{
	loader_parts_free(parts);
}

/** Can a capture kernel return to a kernel on this architecture? KD_ERR_UNSUPPORTED: no. */
struct kd_error *loader_can_return(void) MUST_CHECK;

/** How much must be reserved for a capture kernel that takes @init_size itself and returns to a kernel with files of
 *  these sizes. */
uint64_t loader_return_need(uint64_t init_size, uint64_t kernel_size, uint64_t initrd_size);

/** Unload. If nothing is loaded, that is success. Works under lockdown. */
struct kd_error *loader_unload(enum loader_policy policy) MUST_CHECK;

/** Is an image of this policy loaded? Reads /sys/kernel/kexec/{crash_,}loaded, then the old names. KD_ERR_STATE when
 *  the kernel has no kexec at all. */
struct kd_error *loader_loaded(const struct kd_sysroot *root, enum loader_policy policy, bool *ret) MUST_CHECK;

/** The setting by which the running kernel refuses every further load ("kernel.kexec_load_disabled is 1"), until the
 *  next boot; NULL: there is none. */
const char *loader_forbidden(const struct kd_sysroot *root, enum loader_policy policy);

/** Bytes reserved for the panic kernel (0: none). */
struct kd_error *loader_crash_size(const struct kd_sysroot *root, uint64_t *ret) MUST_CHECK;

/** The kernel's lockdown ("integrity", "confidentiality"), owned by the caller; NULL: none, or the kernel does not show
 *  it. */
struct kd_error *loader_lockdown(const struct kd_sysroot *root, char **ret) MUST_CHECK;

/** The capture kernel's command line, derived from the running kernel's. Parameters that make sense only there are
 *  removed (@remove: more names, separated by blanks, may be NULL), and the capture's own are appended (@append: more
 *  of them, may be NULL). kdumpctl(8) documents the built-in lists. *ret is owned by the caller. */
struct kd_error *loader_capture_cmdline(const struct kd_sysroot *root, const char *remove, const char *append,
					char **ret) MUST_CHECK;

/** @cmdline, a user's own for a capture kernel, with the parameters in front that reset a capture kernel which dies or
 *  hangs (but for the names in @remove, may be NULL). Where @cmdline has the same parameters, its values count. *ret is
 *  owned by the caller. */
struct kd_error *loader_complete_cmdline(const char *cmdline, const char *remove, char **ret) MUST_CHECK;

/** @cmdline without the parameters whose names are in @remove: whole names, separated by blanks; '-' and '_' are equal;
 *  a trailing '*' stands for any rest. *ret is owned by the caller. */
struct kd_error *loader_cmdline_remove(const char *cmdline, const char *remove, char **ret) MUST_CHECK;

/** Do kernels of this machine's architecture take a device tree? */
bool loader_has_device_tree(void);

/** Words that "kdumpctl reboot --try" adds. The new kernel's command line ends in LOADER_TRIAL and the trial's ID, and
 *  what is for the trial alone. The old kernel's begins, when a panic of the new one has started it, with
 *  LOADER_RETURNED and the same ID, and LOADER_RESET_DEVICES. A kernel takes a name with a dot for a module's
 *  parameter, which it does not hand to init. */
#define LOADER_TRIAL         "kdump.try="
#define LOADER_RETURNED      "kdump.returned="
#define LOADER_RESET_DEVICES "reset_devices" /* no driver has stopped its device */

/** The word that "kdumpctl reboot --unlock" adds (kdump/unlock/unlock.h). The program is in that boot's initramfs
 *  alone. */
#define LOADER_UNLOCK "rdinit=/kdump-unlock/init"

/** @cmdline without any of these words: as the boot loader would give it. *ret is owned by the caller. */
struct kd_error *loader_own_cmdline(const char *cmdline, char **ret) MUST_CHECK;

/** Start the kernel that LOADER_REBOOT loaded, at once: nothing is stopped, synced or unmounted. Returns only on
 *  failure. */
struct kd_error *loader_reboot(void) MUST_CHECK;

#endif
