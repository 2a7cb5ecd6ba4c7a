/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Secrets in this process's memory, such as the keys of encrypted volumes. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/cleanup.h"

/** Overwrite the whole allocation (of malloc(), NULL is allowed) and free it. Text in it may have been cut into words
 *  meanwhile: what counts is the allocation, not the string. */
void kd_secret_free(void *secret);
DEFINE_CLEANUP(char *, kd_secret_free)
#define _cleanup_secret_ _cleanup_(kd_secret_free)

/** From now on the memory of this process goes neither to swap space nor into a core file. Best effort: only root may
 *  lock as much memory as it likes, and only root comes by the secrets. */
void kd_secret_guard(void);

#endif
