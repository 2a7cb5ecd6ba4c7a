/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Logs of kernels that the persistent store has kept over the reboot: in /sys/fs/pstore, or where systemd-pstore(8)
 *  has moved them, below /var/lib/systemd/pstore.
 *
 *  A kernel writes its log in parts, the newest first, each into a record of its own: "Panic#1 Part1", a newline, and
 *  the text (fs/pstore/platform.c). The names end in a number that rises with each record. What firmware returns is
 *  hostile. */
#ifndef KDUMP_DUMPS_PSTORE_H
#define KDUMP_DUMPS_PSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/flight.h"
#include "base/log.h"
#include "base/sysroot.h"

enum {
	PSTORE_RECORDS = 256,      /* that are looked at */
	PSTORE_RECORD = 256 << 10, /* bytes of one, expanded */
	PSTORE_QUOTED = 64 << 10,  /* bytes of the crashed kernel's log that are taken from one */
	PSTORE_DEPTH = 3,          /* directories below systemd's */
};

struct pstore_log {
	char *text;      /* its parts, the oldest first */
	char reason[16]; /* "Panic", "Shutdown", "Emergency" …: why the kernel wrote it */
	char **file;     /* its records: paths below the root */
	size_t file_count;
	int64_t time;             /* of the newest record, as the store has it; seconds since the epoch; 0: unknown */
	struct kd_flight *flight; /* of the capture whose log it is; NULL: it is of another kernel */
};

struct pstore {
	struct pstore_log *log; /* in the order in which they were written */
	size_t count;
};

/** Read all logs. Records that somebody else than root can have written do not count. No store is no logs.
 *  KD_ERR_NOMEM. */
struct kd_error *pstore_load(const struct kd_sysroot *root, struct pstore *ret) MUST_CHECK;
/** A zeroed struct is allowed. */
void pstore_free(struct pstore *pstore);
static inline void pstore_free_cleanup(struct pstore *pstore)
{
	pstore_free(pstore);
}

/** Is the record @file still in the kernel's store? */
bool pstore_is_kernels(const char *file);

/** The message of the panic of the kernel whose log @text is: the last one; lines in which a capture quotes the crashed
 *  kernel's log do not count. *ret is owned by the caller; NULL: there is none. KD_ERR_NOMEM. */
struct kd_error *pstore_panic(const char *text, char **ret) MUST_CHECK;

/** The lines in which a capture quotes the crashed kernel's log, as that log. "": there are none. *ret is owned by the
 *  caller. KD_ERR_NOMEM. */
struct kd_error *pstore_quoted(const char *text, char **ret) MUST_CHECK;

#define PSTORE_FILE "pstore.log" /* in the directory of a dump: the text of a log */

/** Bring the logs of captures to dumps: to the one that has a record with the same ID in @directory (on this machine),
 *  or to a new one there. Then their records are removed from the store; those of other kernels stay. A log that
 *  systemd-pstore has taken stays there, and is brought once. Errors are warnings on @log. Returns how many new dumps
 *  there are. */
size_t pstore_collect(const struct kd_sysroot *root, const char *directory, const struct kd_log *log);

#endif
