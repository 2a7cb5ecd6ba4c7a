/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Whose files count.
 *
 *  kdumpctl decides as root by what it finds in directories that others may write: on Ubuntu everybody may create files
 *  in /var/crash. A dump, a report, a record and the lock count only if they belong to root and nobody else can write
 *  to them. For another user, who looks, or who works on a captured tree (--sysroot), their own files count as well:
 *  whoever forges those deceives only themselves.
 *
 *  The owner is asked of an open descriptor, never of a path, which may lead somewhere else a moment later. */
#ifndef BASE_TRUST_H
#define BASE_TRUST_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/error.h"

/** Does the file or directory count? An ACL that lets others write shows as a group's right to write. */
bool kd_is_trusted(const struct stat *st);

/** Can somebody else rename and replace the entries of this directory? Not if it has the sticky bit, although others
 *  can then add entries. */
bool kd_is_exchangeable(const struct stat *st);

/** NULL if the file or directory @fd counts; else KD_ERR_STATE with the reason, or KD_ERR_OS. @path is its name. */
struct kd_error *kd_trust(const char *path, int fd) MUST_CHECK;

#endif
