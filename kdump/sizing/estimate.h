/* SPDX-License-Identifier: GPL-2.0-or-later */
/** How much memory the capture on this machine needs, and whether that much is reserved.
 *
 *  The need is measured where there is a capture to go by: report.json tells the memory of the capture kernel and the
 *  highest use of it; what the kernel kept to itself is the rest of the reservation. Without one it is computed from
 *  what is loaded, by a sum that was fitted to measured floors (tests/bench/crashkernel-floor):
 *
 *      Debian 6.1, 2 GiB, virtio, ext4     floor 72 MiB     computed 75     from a recorded capture 73
 *      the same, cloud flavour             floor 58 MiB     computed 61     from a recorded capture 58
 *
 *  A computed need knows nothing of what drivers allocate, so crashkernel_default() is recommended at the least then.
 */
#ifndef KDUMP_SIZING_ESTIMATE_H
#define KDUMP_SIZING_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sysroot.h"

enum { ESTIMATE_LARGE_MODULES = 8 };

/** A copy of the newest capture's report.json, which stays when its dump is deleted. */
#define LAST_CAPTURE_PATH KD_STATEDIR "/last-capture.json"

struct estimate_request {
	const struct kd_sysroot *root;
	const char *kernel;  /* file of the capture kernel, below the root */
	const char *release; /* its uname -r */
	const char *initrd;  /* the capture initramfs; one that is not there, or not readable, is assumed */
	const char *dumps;   /* directory of the dumps, below the root; NULL: not mounted */
};

struct estimate_module {
	char name[64];
	uint64_t size;
};

/** All sizes are bytes. */
struct estimate {
	uint64_t reserved; /* now */
	uint64_t ram;      /* of the machine */

	/* What the computed need is the sum of. */
	uint64_t kernel;     /* from where it is loaded to where its boot ends using memory: init_size */
	uint64_t initramfs;  /* as it is loaded, and once more unpacked: both are there for a moment */
	uint64_t modules;    /* expanded */
	uint64_t elfcorehdr; /* where the kernel keeps it up to date itself */
	uint64_t mem_map;    /* struct page of the reservation's pages, and the tables of the control pages */
	uint64_t filter;     /* two bitmaps of the machine's pages, and the filter's buffers */
	uint64_t computed;

	/* The newest capture that can be gone by: a dump's, or LAST_CAPTURE_PATH if no dump with a report is left. */
	char *report;           /* its report.json, below the root; NULL: there is none */
	int64_t recorded_at;    /* when that file was written, seconds since the epoch */
	uint64_t recorded_peak; /* highest use after the kernel's own */
	uint64_t recorded;      /* need by it; 0: none */

	uint64_t need;                                        /* less than that is too little */
	uint64_t recommended;                                 /* with a margin */
	bool assumed_image;                                   /* there is no readable initramfs yet */
	struct estimate_module large[ESTIMATE_LARGE_MODULES]; /* 1 MiB and more, largest first */
	size_t large_count;
};

/** KD_ERR_NOT_FOUND, KD_ERR_FORMAT: no kernel there. A report that cannot be used is passed over. */
struct kd_error *estimate_make(const struct estimate_request *request, struct estimate *ret) MUST_CHECK;

/** A zeroed struct is allowed. */
void estimate_free(struct estimate *estimate);
static inline void estimate_free_cleanup(struct estimate *estimate)
{
	estimate_free(estimate);
}

enum estimate_verdict {
	ESTIMATE_NOTHING, /* is reserved */
	ESTIMATE_SMALL,   /* less than what is needed */
	ESTIMATE_FITS,
	ESTIMATE_WASTEFUL, /* more than twice what is recommended, and more than 128 MiB beyond it */
};
enum estimate_verdict estimate_judge(const struct estimate *estimate);

#endif
