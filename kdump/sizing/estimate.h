/* SPDX-License-Identifier: GPL-2.0-or-later */
/** An estimate of the memory that the capture on this machine needs.
 *
 *  If there is a recorded capture, the need is measured: report.json has the memory of the capture kernel and its
 *  peak use, and the rest of the reservation is what the kernel kept for itself. Otherwise need.h computes it from the
 *  kernel and the image.
 *
 *  A computed need does not know how much drivers allocate, so at least crashkernel_default() is recommended then. */
#ifndef KDUMP_SIZING_ESTIMATE_H
#define KDUMP_SIZING_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sysroot.h"

enum { ESTIMATE_LARGE_MODULES = 8 };

/** A copy of the newest capture's report.json. It stays when the dump is deleted. */
#define LAST_CAPTURE_PATH KD_STATEDIR "/last-capture.json"

struct estimate_request {
	const struct kd_sysroot *root;
	const char *kernel;                        /* file of the capture kernel, below the root */
	const char *release;                       /* its uname -r */
	const char *initrd;                        /* the capture initramfs; its size is assumed if it cannot be read */
	const char *cmdline;                       /* of the capture kernel; NULL: it starts one CPU */
	const char *dumps;                         /* directory of the dumps, below the root; NULL: not mounted */
	const char *return_kernel, *return_initrd; /* files to which final_action kexec returns; NULL: it does not */
};

struct estimate_module {
	char name[64];
	uint64_t size;
};

/** All sizes are bytes. */
struct estimate {
	uint64_t reserved; /* now */
	uint64_t ram;      /* of the machine */

	/* The summands of the computed need. */
	uint64_t kernel;     /* init_size: all memory that the kernel uses while it boots */
	uint64_t initramfs;  /* as loaded and unpacked, since both exist for a moment */
	uint64_t modules;    /* expanded */
	uint64_t programs;   /* what they take beyond their members in the initramfs, when they are expanded */
	uint64_t elfcorehdr; /* only where the kernel itself keeps it up to date */
	uint64_t early;      /* the kernel's own allocations before the first process */
	uint64_t mem_map;    /* struct page of the sections that the reservation may touch */
	uint64_t filter;     /* two bitmaps of the machine's pages, and the filter's buffers */
	uint64_t computed;

	/* The newest recorded capture: that of a dump, or LAST_CAPTURE_PATH if no dump with a report is left. */
	char *report;           /* its report.json, below the root; NULL: there is none */
	int64_t recorded_at;    /* when that file was written, seconds since the epoch */
	uint64_t recorded_peak; /* peak use, without the kernel's own memory */
	uint64_t recorded;      /* need by that capture; 0: none is recorded */

	uint64_t returning;                                   /* need of a return by kexec; 0: none is wanted */
	uint64_t need;                                        /* a smaller reservation is too small */
	uint64_t recommended;                                 /* the need and a margin */
	bool assumed_image;                                   /* no initramfs could be read */
	struct estimate_module large[ESTIMATE_LARGE_MODULES]; /* 1 MiB and more, largest first */
	size_t large_count;
};

/** Make the estimate. A report that is not valid is skipped. KD_ERR_NOT_FOUND, KD_ERR_FORMAT: @request->kernel is not a
 *  kernel. */
struct kd_error *estimate_make(const struct estimate_request *request, struct estimate *ret) MUST_CHECK;

/** A zeroed struct is allowed. */
void estimate_free(struct estimate *estimate);
static inline void estimate_free_cleanup(struct estimate *estimate)
{
	estimate_free(estimate);
}

enum estimate_verdict {
	ESTIMATE_NOTHING, /* no memory is reserved */
	ESTIMATE_SMALL,   /* less than the need */
	ESTIMATE_FITS,
	ESTIMATE_WASTEFUL, /* more than twice the recommendation, and more than 128 MiB above it */
};
enum estimate_verdict estimate_judge(const struct estimate *estimate);

#endif
