/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Files of an encrypted dump become ordinary ones. */
#ifndef KDUMP_DUMPS_DECRYPT_H
#define KDUMP_DUMPS_DECRYPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kdump/dumps/secret_keys.h"

struct decrypted {
	bool whole;    /* nothing is missing */
	char *missing; /* otherwise: what, and where; owned by the caller */
};

/** Decrypt the file @path into the new file @out (mode 0600). A flattened dump is rearranged (dumpfilter(8), -R). Until
 *  all of it is on the disk, the file is called "@out.part"; it is deleted after an error. @partial: of a file
 *  that was cut off or is damaged take what comes before; a dump's header then says that it is incomplete. Without it,
 *  that is an error, with the place in it. KD_ERR_FORMAT, KD_ERR_NOT_FOUND (it is not for these keys), KD_ERR_OS. */
struct kd_error *decrypt_file(const char *path, const char *out, const struct secret_keys *keys, bool partial,
			      struct decrypted *ret) MUST_CHECK;

/** The name of what is in the encrypted file @name: "vmcore.flat.age" holds "vmcore". NULL: @name is not that of an
 *  encrypted file. *ret is owned by the caller. KD_ERR_NOMEM. */
struct kd_error *decrypt_name(const char *name, char **ret) MUST_CHECK;

#endif
