/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The secret keys that open encrypted dumps, from a file as age-keygen(1) writes it: a key (AGE-SECRET-KEY-1…) per
 *  line, with blank lines and comments (#) between them. */
#ifndef KDUMP_DUMPS_SECRET_KEYS_H
#define KDUMP_DUMPS_SECRET_KEYS_H

#include <stddef.h>

#include "base/age.h"
#include "base/error.h"
#include "base/log.h"

struct secret_keys {
	struct kd_age_identity *key;
	size_t count;
};

/** Read the keys from the file @path, "-" for standard input. A file that others can read is warned about on @log. A
 *  message never has a part of a key in it. KD_ERR_OS; KD_ERR_FORMAT ("path:line: …", or there is no key);
 *  KD_ERR_UNSUPPORTED (the file is encrypted itself, or has keys of another kind). */
struct kd_error *secret_keys_read(const char *path, const struct kd_log *log, struct secret_keys *ret) MUST_CHECK;

/** Erase the keys. A zeroed struct is allowed. */
void secret_keys_free(struct secret_keys *keys);
static inline void secret_keys_free_cleanup(struct secret_keys *keys)
{
	secret_keys_free(keys);
}

#endif
