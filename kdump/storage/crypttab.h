/* SPDX-License-Identifier: GPL-2.0-or-later */
/** /etc/crypttab: how this machine opens its encrypted volumes (crypttab(5) of systemd and of Debian). */
#ifndef KDUMP_STORAGE_CRYPTTAB_H
#define KDUMP_STORAGE_CRYPTTAB_H

#include <stdint.h>

#include "base/error.h"
#include "base/sysroot.h"

struct crypttab_entry {
	char *key_file;  /* absolute */
	uint64_t offset; /* of the key in the file, in bytes */
	uint64_t size;   /* 0: to the end of the file */
};

/** The key file with which this machine opens volume @name by itself. KD_ERR_UNSUPPORTED: crypttab names none;
 *  KD_ERR_OS: it does not exist; KD_ERR_CONFIG. */
struct kd_error *crypttab_find(const struct kd_sysroot *root, const char *name, struct crypttab_entry *ret) MUST_CHECK;

/** KD_ERR_UNSUPPORTED: volume @name has another key after the next boot, and what is on it is lost then. */
struct kd_error *crypttab_check_lasting(const struct kd_sysroot *root, const char *name) MUST_CHECK;

/** A zeroed struct is allowed. */
void crypttab_entry_free(struct crypttab_entry *entry);
static inline void crypttab_entry_free_cleanup(struct crypttab_entry *entry)
{
	crypttab_entry_free(entry);
}

#endif
