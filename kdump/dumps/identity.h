/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Which kernel a dump is of, by the dump's own VMCOREINFO: for dumps that came without a report. */
#ifndef KDUMP_DUMPS_IDENTITY_H
#define KDUMP_DUMPS_IDENTITY_H

#define IDENTITY_MAX 256 /* of a release or a build-id, with the NUL */

struct identity {
	char release[IDENTITY_MAX];  /* OSRELEASE; "": not known */
	char build_id[IDENTITY_MAX]; /* BUILD-ID, hex, from Linux 5.9 on; "": not known */
};

/** Read it out of @fd, an ELF core or a kdump-compressed file (64-bit little-endian). What cannot be found is "": the
 * file may be cut off, of another kind, or lie, and the strings are only as good as it is. */
void identity_read(int fd, struct identity *ret);

#endif
