/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The kernel of a dump, from the VMCOREINFO in the dump: for dumps without a report. */
#ifndef KDUMP_DUMPS_IDENTITY_H
#define KDUMP_DUMPS_IDENTITY_H

#define IDENTITY_MAX 256 /* size of a release or a build-id, with the NUL */

struct identity {
	char release[IDENTITY_MAX];  /* OSRELEASE; "": unknown */
	char build_id[IDENTITY_MAX]; /* BUILD-ID, hex, since Linux 5.9; "": unknown */
};

/** Read the identity from @fd, an ELF core or a kdump-compressed file (64-bit little-endian). A string that cannot be
 *  found is "". The file may be truncated, of another kind or hostile, and nothing checks the strings. */
void identity_read(int fd, struct identity *ret);

#endif
