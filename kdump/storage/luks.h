/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What the header of a LUKS2 volume asks of everybody who opens it ("LUKS2 On-Disk Format Specification"). */
#ifndef KDUMP_STORAGE_LUKS_H
#define KDUMP_STORAGE_LUKS_H

#include "base/error.h"
#include "base/sysroot.h"

/** KD_ERR_UNSUPPORTED: the header on @node has a mandatory requirement, such as a re-encryption that has begun; the
 *  text names it and what to do. A device without such a header asks for nothing. */
struct kd_error *luks_check(const struct kd_sysroot *root, const char *node) MUST_CHECK;

#endif
