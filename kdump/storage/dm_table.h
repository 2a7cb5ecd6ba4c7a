/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Which device-mapper tables the capture may set up again and write through.
 *
 *  A table is what "dmsetup table" prints: lines of START LENGTH TYPE PARAMETER…. It describes where data lies, but not
 *  all that must happen when they are written: a snapshot's origin has to save the old contents, a cache may hold the
 *  newer ones. Written without that, volumes are damaged long after the crash. So a type is refused unless a test in a
 *  virtual machine has shown that its volumes survive a capture (tests/vm/unharmed).
 */
#ifndef KDUMP_STORAGE_DM_TABLE_H
#define KDUMP_STORAGE_DM_TABLE_H

#include "base/error.h"

/** The word of a row of dm-crypt's that is the key: START LENGTH crypt CIPHER KEY … */
#define DM_CRYPT_KEY 4

/** KD_ERR_UNSUPPORTED: the text names the type, why it is refused, and what to do instead. */
struct kd_error *dm_table_check(const char *table) MUST_CHECK;

#endif
