/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The system calls of kexec. No other file makes them. */
#ifndef KDUMP_LOADER_KEXEC_CALL_H
#define KDUMP_LOADER_KEXEC_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kdump/loader/segments.h"

struct kexec_call {
	bool on_crash; /* load the panic kernel, not the next reboot's */
	bool hotplug;  /* kexec_load: the kernel may keep the elfcorehdr up to date */
	bool debug;    /* kexec_file_load: the kernel logs each step */
};

/** kexec_load(2). If it fails late (bad segments, no memory), it drops the panic kernel that was loaded before.
 *  KD_ERR_OS; KD_ERR_STATE where the machine's settings forbid it, with errnum set. */
struct kd_error *kexec_call_load(const struct kexec_call *call, const struct segments *segments,
				 uint64_t entry) MUST_CHECK;

struct kexec_files {
	const void *kernel;
	size_t kernel_size;
	const void *initrd; /* NULL for none */
	size_t initrd_size;
	size_t secret_size; /* the last bytes of it are secret */
	const char *cmdline;
};

/** kexec_file_load(2): the kernel reads the files, checks signatures and lays everything out. Errors as above. */
struct kd_error *kexec_call_file_load(const struct kexec_call *call, const struct kexec_files *files) MUST_CHECK;

/** Unload, by the call that the machine allows. */
struct kd_error *kexec_call_unload(bool on_crash) MUST_CHECK;

/** reboot(2) into the loaded kernel. Does not sync, stop or unmount anything. Returns only on failure. */
struct kd_error *kexec_call_reboot(void) MUST_CHECK;

#endif
