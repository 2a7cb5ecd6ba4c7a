/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What goes behind the new kernel's initramfs: the running kernel, packed as a cpio archive (airbag.h). */
#ifndef KDUMP_AIRBAG_PACK_H
#define KDUMP_AIRBAG_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"

struct airbag_request {
	const struct kd_sysroot *root;
	const char *program;       /* on this host: becomes AIRBAG_PROGRAM */
	const char *kernel;        /* of the old kernel, below the root */
	const char *const *initrd; /* of the old kernel, in their order; NULL-terminated */
	const char *cmdline;       /* with which the old kernel returns */
	const char *release;       /* of the new kernel: drivers of the watchdogs of this machine come from there */
	uint64_t deadline;         /* seconds */
	const struct kd_log *log;  /* may be NULL */
};

struct airbag {
	void *archive; /* to be put behind an initramfs; its size is a multiple of 4 */
	size_t size;
	uint64_t need; /* bytes that the new kernel's reservation must have, a multiple of 16 MiB */
};

/** KD_ERR_STATE: a PCI device lies where the purgatory cannot stop it, or the machine is in lockdown. KD_ERR_LIMIT: the
 *  old kernel would take more than a quarter of the memory. KD_ERR_OS, and errors of loader_prepare(): the kernel
 *  cannot be read. A driver that the new kernel does not have is a warning. */
struct kd_error *airbag_pack(const struct airbag_request *request, struct airbag *ret) MUST_CHECK;

void airbag_free(struct airbag *airbag); /* zeroed is allowed */
static inline void airbag_free_cleanup(struct airbag *airbag)
{
	airbag_free(airbag);
}

#endif
