/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Files of a dump directory: under a name that says "incomplete" until they are whole and on the disk. */
#ifndef CAPTURE_SAVE_H
#define CAPTURE_SAVE_H

#include <stdio.h>

#include "base/error.h"

/** Write @name below directory @dir, mode 0600: @fill writes it under the name @incomplete, then it is synced, renamed
 *  and the directory synced. An existing @name is replaced. After a failure @incomplete stays. */
struct kd_error *save_file(int dir, const char *incomplete, const char *name,
			   struct kd_error *(*fill)(FILE *out, void *arg), void *arg) MUST_CHECK;

/** The same for a file that is already written: sync, rename, sync the directory. */
struct kd_error *save_finish(int dir, const char *incomplete, const char *name) MUST_CHECK;

#endif
