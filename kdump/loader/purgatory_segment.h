/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The purgatory as a segment: its code comes from purgatory/, its parameters from the layout. */
#ifndef KDUMP_LOADER_PURGATORY_SEGMENT_H
#define KDUMP_LOADER_PURGATORY_SEGMENT_H

#include "base/error.h"
#include "kdump/loader/layout.h"

/** Place the purgatory and make it the entry, after all other segments have their places. With @checksum it checks
 *  these segments, each up to the page in which its data end; the kernel itself clears the rest. The layout of another
 *  architecture's kernel, which can be looked at but not loaded, has no purgatory. */
struct kd_error *purgatory_place(const struct kd_sysroot *root, struct loader_image *image, bool checksum) MUST_CHECK;

#endif
