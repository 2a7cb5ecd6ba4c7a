/* SPDX-License-Identifier: GPL-2.0-or-later */
/** x86_64 page tables that map the first 4 GiB of addresses to themselves, as the kernel's own 32-bit entry has them.
 *
 *  A kernel expands itself behind its file in memory (init_size). kexec_load(2) maps the running kernel's RAM and the
 *  segments, so a segment would have to be as long as that, and the running kernel would have to find as many free
 *  pages: for a capture kernel in its small reservation seven times what the file takes. With these tables the file
 *  alone is enough. */
#ifndef KDUMP_LOADER_IDENTITY_MAP_H
#define KDUMP_LOADER_IDENTITY_MAP_H

#include "base/error.h"
#include "kdump/loader/layout.h"

#define IDENTITY_MAPPED (UINT64_C(4) << 30)

/** Make and place them: the segment "page tables". Its first page is the root for 4-level paging, its second one the
 *  root for 5 levels. */
struct kd_error *identity_map_place(struct loader_image *image) MUST_CHECK;

#endif
