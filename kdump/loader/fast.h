/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A start without the decompressor (loader_request.fast): what it would do after the jump is done here.
 *
 *  The purgatory does not check kernel and initramfs then. Before the next kernel runs, the CPU computes about 200 MB
 *  of SHA-256 per second, and would spend most of the time with that; the running kernel copies both from memory of
 *  its own, which no crash has damaged. */
#ifndef KDUMP_LOADER_FAST_H
#define KDUMP_LOADER_FAST_H

#include "kdump/loader/layout.h"

/** Unpack the kernel and set image->fast. Where that cannot be, say why in the log, and leave the bzImage. */
struct kd_error *fast_choose(const struct loader_request *request, struct loader_image *image) MUST_CHECK;

/** Choose the kernel's physical and virtual address, as the decompressor does: both are random, unless the command line
 *  forbids it or the kernel cannot move. KD_ERR_LIMIT: no room. */
struct kd_error *fast_place(struct loader_image *image) MUST_CHECK;

#endif
