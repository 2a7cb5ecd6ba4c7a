/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The keys of encrypted volumes, and the secrets of iSCSI sessions, that the capture needs.
 *
 *  A volume that is open has a volume key, which the device mapper encrypts its sectors with. With it the capture
 *  kernel needs neither a passphrase nor the memory that LUKS needs to check one. The key is fetched each time that a
 *  capture kernel is loaded, lies in the memory that is reserved for that kernel, and nowhere else: it is not in the
 *  image on the disk, nor in anything that is printed or recorded.
 */
#ifndef KDUMP_STORAGE_VOLUME_KEYS_H
#define KDUMP_STORAGE_VOLUME_KEYS_H

#include <stddef.h>

#include "base/error.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "kdump/storage/volumes_source.h"

struct volume_keys {
	struct volume_key {
		char *volume; /* its name */
		char *target; /* of an iSCSI disk; NULL: the volume is encrypted */
		char *portal; /* address of that target's server; NULL: as above */
		char *text;   /* the key, hexadecimal digits, or base/served_disk.h's secret; NULL: not fetched */
		char *source; /* where it was found, in words; NULL: not fetched */
		char *file;   /* the key file that it was found by; NULL: none */
	} * key;
	size_t count;
};

/** Overwrites the keys. A zeroed struct is allowed. */
void volume_keys_free(struct volume_keys *keys);
static inline void volume_keys_free_cleanup(struct volume_keys *keys)
{
	volume_keys_free(keys);
}

/** The volumes of @plan that need a key; no key is fetched yet. *ret is to be freed on failure, too. */
struct kd_error *volume_keys_list(const struct kd_plan *plan, struct volume_keys *ret) MUST_CHECK;

/** Fetch every key: from the device-mapper table, if the table shows it; else by the key file that crypttab(5) names;
 *  else from the memory of the running kernel. KD_ERR_UNSUPPORTED: a key cannot be had; the text says why, and what to
 *  do. */
struct kd_error *volume_keys_fetch(const struct kd_sysroot *root, const struct volumes_source *source,
				   struct volume_keys *keys) MUST_CHECK;

#endif
