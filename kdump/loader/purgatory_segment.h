/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The purgatory as a segment: code from purgatory/, parameters from the layout. */
#ifndef KDUMP_LOADER_PURGATORY_SEGMENT_H
#define KDUMP_LOADER_PURGATORY_SEGMENT_H

#include "base/error.h"
#include "kdump/loader/layout.h"

/** Place it and make it the entry. When everything else has its place: @checksum covers the segments placed so far,
 *  as they are in memory, up to the page in which their data end (the kernel itself clears what lies behind). */
struct kd_error *purgatory_place(struct loader_image *image, bool checksum) MUST_CHECK;

#endif
