/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Files of a dump directory. Until a file is complete and on the disk, its name says "incomplete". */
#ifndef CAPTURE_SAVE_H
#define CAPTURE_SAVE_H

#include <stdio.h>

#include "base/error.h"
#include "capture/encrypt.h"

/** Write the file @name in the directory @dir, mode 0600: @fill writes it under the name @incomplete; then it is synced
 *  and renamed, and the directory is synced. An existing @name is replaced. After a failure @incomplete stays.
 *  @encryption: if it is wanted, what @fill writes is encrypted, and KD_AGE_SUFFIX follows both names. */
struct kd_error *save_file(int dir, const struct encryption *encryption, const char *incomplete, const char *name,
			   struct kd_error *(*fill)(FILE *out, void *arg), void *arg) MUST_CHECK;
/** The same for what everybody may read. */
struct kd_error *save_public_file(int dir, const char *incomplete, const char *name,
				  struct kd_error *(*fill)(FILE *out, void *arg), void *arg) MUST_CHECK;

/** Finish a file that is already written: sync it, rename it, sync the directory. */
struct kd_error *save_finish(int dir, const char *incomplete, const char *name) MUST_CHECK;

/** Allocate @size bytes on the disk; save_release() frees them. So even a dump that fills the disk leaves room for the
 *  report. */
struct kd_error *save_reserve(int dir, size_t size) MUST_CHECK;
void save_release(int dir);

#endif
