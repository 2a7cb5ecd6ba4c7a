/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The open LUKS volumes of this machine whose keys the next kernel's initramfs is to have. */
#ifndef KDUMP_UNLOCK_VOLUMES_H
#define KDUMP_UNLOCK_VOLUMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/storage/volumes_source.h"

struct unlock_volumes {
	struct unlock_open {
		char *name;   /* of the mapping */
		char *uuid;   /* of the mapping, "CRYPT-LUKS2-…" */
		char *luks;   /* the UUID of its LUKS header */
		bool needed;  /* "/" or "/usr" lies on it */
		char *file;   /* key.h; NULL: not fetched */
		char *source; /* where the key was found, in words; NULL: not fetched */
	} * volume;
	size_t count;
};

/** A zeroed struct is allowed. Keys are overwritten. */
void unlock_volumes_free(struct unlock_volumes *volumes);
static inline void unlock_volumes_free_cleanup(struct unlock_volumes *volumes)
{
	unlock_volumes_free(volumes);
}

/** All that are open. KD_ERR_CONFIG: "/" lies on none; KD_ERR_UNSUPPORTED: it lies on something encrypted that is not
 *  LUKS, or whose LUKS header is not on its device. *ret is to be freed on failure, too. */
struct kd_error *unlock_volumes_find(const struct kd_sysroot *root, struct unlock_volumes *ret) MUST_CHECK;

/** Leave only those that are needed, and those that the initramfs @data will open, too; @what is its name in messages.
 *  @cmdline is the next kernel's. KD_ERR_UNSUPPORTED: the initramfs cannot take the key of a volume that is needed; the
 *  text says why. */
struct kd_error *unlock_volumes_choose(struct unlock_volumes *volumes, const void *data, size_t size, const char *what,
				       const char *cmdline) MUST_CHECK;

/** Fetch their keys. Errors as of volume_keys_fetch(), unlock_key_format() and luks_check(). */
struct kd_error *unlock_volumes_fetch(const struct kd_sysroot *root, const struct volumes_source *source,
				      struct unlock_volumes *volumes) MUST_CHECK;

/** An archive of their files; *ret is to be freed by kd_secret_free(). */
struct kd_error *unlock_volumes_pack(const struct unlock_volumes *volumes, char **ret, size_t *size_ret) MUST_CHECK;

/** An archive of the program, which is the file @program of this host. *ret is owned by the caller. */
struct kd_error *unlock_program_pack(const char *program, void **ret, size_t *size_ret) MUST_CHECK;

#endif
