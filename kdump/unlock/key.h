/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The file that opens a LUKS volume without its passphrase: the key and the device-mapper table that it had, as text.
 *
 *      uuid CRYPT-LUKS2-b7b1ec8e0f8c4a57b8d5a0c0d8e5a2f1-   the mapping's UUID, without its name
 *      name root                                             the mapping's name in the former kernel
 *      key HEX                                               the volume key
 *      table 0 1234 crypt CIPHER WORD OFFSET * START MORE…    "*": the device; WORD: "-", or a key in the kernel's
 *                                                            keyring as dm-crypt has it, ":64:logon:DESCRIPTION" */
#ifndef KDUMP_UNLOCK_KEY_H
#define KDUMP_UNLOCK_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	UNLOCK_KEY_BYTES = 512,  /* of a volume key */
	UNLOCK_FILE_MAX = 4096,  /* of such a file */
	UNLOCK_UUID_SIZE = 37,   /* of a LUKS volume's UUID, with the NUL */
	UNLOCK_HEADER_MIN = 208, /* bytes of a LUKS header that hold it */
};

/** A parsed file; all is borrowed from the text. */
struct unlock_key {
	const char *uuid, *name;
	const char *hex;
	uint64_t start, length; /* of the row, in sectors */
	const char *cipher, *word, *iv_offset;
	const char *more; /* what follows the device */
};

/** Cut @text into its parts, in place. KD_ERR_FORMAT. */
struct kd_error *unlock_key_parse(char *text, struct unlock_key *ret) MUST_CHECK;

/** Write the file of the mapping @name with UUID @uuid (whole, as sysfs has it), the one-row table @table and the key
 *  @hex. *ret is owned by the caller, to be freed by kd_secret_free(). KD_ERR_UNSUPPORTED: not one row of dm-crypt's on
 *  an ordinary device, or not a LUKS volume's UUID. */
struct kd_error *unlock_key_format(const char *name, const char *uuid, const char *table, const char *hex,
				   char **ret) MUST_CHECK;

/** The parameters of dm-crypt's row on device @device ("8:3"). @with_key: the key itself, else the word for it. Returns
 *  false if they do not fit into @size bytes. */
bool unlock_key_parameters(const struct unlock_key *key, const char *device, bool with_key, char *ret, size_t size);

/** The key itself. Returns its size in bytes; 0: @hex is not made of as many pairs of digits as fit. */
size_t unlock_key_bytes(const char *hex, uint8_t ret[static UNLOCK_KEY_BYTES]);

/** The UUID in a LUKS1 or LUKS2 header, in lower case. Returns false if @header, of UNLOCK_HEADER_MIN bytes, is not one
 *  with a UUID of the usual form. */
bool unlock_luks_uuid(const void *header, char ret[static UNLOCK_UUID_SIZE]);

/** @text, Debian's table (UNLOCK_CRYPTTAB), with UNLOCK_PROGRAM as the key file of each volume in @key, and without the
 *  script that would ask for its passphrase. A volume is found by its UUID, @luks, or by its name. *ret is owned by the
 *  caller. */
struct unlock_volume {
	const char *luks; /* the UUID of the LUKS header */
	const char *name;
};
struct kd_error *unlock_crypttab_edit(const char *text, const struct unlock_volume *volume, size_t count,
				      char **ret) MUST_CHECK;

/** Does @text name the volume? */
bool unlock_crypttab_names(const char *text, const struct unlock_volume *volume);

#endif
