/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The dumps of this machine: directories below the dump path, each written by a capture.
 *
 *  A directory is a dump if its name has the form of Red Hat's kdump and ours, "<address>-YYYY-MM-DD-HH:MM:SS" (with
 *  "-N" at the end for further dumps of the same second), or of Debian's kdump-tools, "202611241031". All other
 *  directories are ignored. Links are not followed. The contents of the files are not trusted.
 *
 *  The directory that contains the dumps may be open to everybody, as /var/crash is on Ubuntu. So a directory in it is
 *  a dump of this machine only if root alone can have written it (base/trust.h), and its report counts by the same
 *  rule. Dumps of anybody can be looked at, but nothing follows from them.
 */
#ifndef KDUMP_DUMPS_DUMPS_H
#define KDUMP_DUMPS_DUMPS_H

#include <dirent.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "kdump/dumps/crash_log.h"

/** Where dumps are unless kdump.conf says otherwise, and where records from the persistent store are brought. */
#define DUMPS_DEFAULT "/var/crash"

enum dump_state {
	DUMP_COMPLETE,   /* the vmcore has its final name */
	DUMP_INCOMPLETE, /* vmcore-incomplete, or the report, headers or size say so */
	DUMP_LOG_ONLY,   /* no vmcore */
	DUMP_DAMAGED,    /* the vmcore is empty or is not a dump */
	DUMP_NOTHING,    /* neither a vmcore nor a log */
	DUMP_STATES,
};
const char *dump_state_name(enum dump_state state);

/** What is inside the dump file. */
enum dump_form {
	DUMP_ORDINARY,
	DUMP_FLATTENED, /* a stream of records */
	DUMP_ENCRYPTED, /* only who has the secret key can look inside (base/age.h) */
};

struct dump {
	char *name;     /* last component of the directory's path, which users type */
	char *path;     /* of the directory */
	char *given;    /* the path that the user typed, if the dump is not found by its name; otherwise NULL */
	int64_t time;   /* of the crash, from the report or the directory's name; seconds since the epoch; 0: unknown */
	char *host;     /* NULL: unknown, as for the following fields */
	char *release;  /* uname -r of the crashed kernel */
	char *build_id; /* hex */
	char *vmcore;   /* name of the dump file: "vmcore", "vmcore-incomplete", "dump.2026…", "vmcore.flat.age" */
	char *log_file; /* "vmcore-dmesg.txt", "dmesg.2026…", "vmcore-dmesg.txt.age" */
	uint64_t size;  /* bytes of disk space of all files in the directory */
	enum dump_state state;
	enum dump_form form;
	bool pinned;
	bool foreign; /* others than root can have written it, see DUMPS_OF_ANYBODY */
	dev_t device; /* of the directory that was read, as the following field */
	ino_t inode;
	struct json_object *report; /* report.json (capture/report.h), of an encrypted dump public.json; NULL: neither
				       is there and readable */
	struct crash_log log;       /* zeroed if there is no log */
};

struct dumps {
	char *path;        /* the directory that contains them; "A, B" after dumps_join() */
	bool exchangeable; /* others than root can rename what is in that directory */
	struct dump *dump; /* oldest first */
	size_t count;
};

enum dumps_owner {
	DUMPS_OF_MACHINE, /* those that root alone can have written */
	DUMPS_OF_ANYBODY, /* to look at: all; dump->foreign tells them apart */
};

/** Load the dumps below @directory. A directory that does not exist contains no dumps. If dumps are left out by
 *  @owner, one warning on @log (NULL: none) says so. KD_ERR_OS. */
struct kd_error *dumps_load(const char *directory, enum dumps_owner owner, const struct kd_log *log,
			    struct dumps *ret) MUST_CHECK;
/** Move all of @more to @dumps, which may be zeroed. KD_ERR_NOMEM: both are as they were. */
struct kd_error *dumps_join(struct dumps *dumps, struct dumps *more) MUST_CHECK;
/** A zeroed struct is allowed. */
void dumps_free(struct dumps *dumps);
static inline void dumps_free_cleanup(struct dumps *dumps)
{
	dumps_free(dumps);
}

/** Find the dump that @words select: its name, a prefix of its name or its signature if only one dump matches, the
 *  path of its directory below dumps->path, or "-1" for the newest, "-2" for the one before. NULL selects the newest.
 *  KD_ERR_NOT_FOUND. */
struct kd_error *dumps_find(const struct dumps *dumps, const char *words, struct dump **ret) MUST_CHECK;

/** The word that a user types to select @dump. */
static inline const char *dump_operand(const struct dump *dump)
{
	return dump->given ? dump->given : dump->name;
}

/** The following are steps of dumps_load(), for a dump that is opened by its path. Open the entries of directory @fd,
 *  which stays open; @path is its name in errors. */
struct kd_error *dump_open_entries(const char *path, int fd, DIR **ret) MUST_CHECK;
/** Find the files of the dump in directory @fd, and their size; note which directory it is. */
struct kd_error *dump_scan(struct dump *dump, int fd) MUST_CHECK;
/** Read these files. @alone: the files beside the vmcore do not belong to it. */
struct kd_error *dump_read_files(struct dump *dump, int fd, bool alone) MUST_CHECK;
/** Does the file @name in directory @fd begin like a dump? False: no, or (EACCES in errno) it may not be read. */
bool dump_recognise(int fd, const char *name, enum dump_form *ret);
/** Is @name (NULL: none) that of an encrypted file? */
bool dump_file_is_encrypted(const char *name);
/** If the file @name of @dump, which somebody wants to look into, is encrypted: KD_ERR_UNSUPPORTED with the remedy. */
struct kd_error *dump_refuse_encrypted(const struct dump *dump, const char *name) MUST_CHECK;
/** The time in a directory's name, which is local time. False: @name is not the name of a dump. A name with control
 *  characters never is. */
bool dump_time_of_name(const char *name, int64_t *ret);
/** Parse @log, and take the release from it if it is unknown. */
struct kd_error *dump_read_log_text(struct dump *dump, const char *log) MUST_CHECK;

#define DUMP_LOG_MAX KD_MIB(32) /* bytes of a log; the rest is not read */
/** Read the whole file dump->log_file. *ret is owned by the caller. */
struct kd_error *dump_read_log_file(const struct dump *dump, char **ret) MUST_CHECK;

/** The text of the file @name in the directory of @dump, at most @max bytes of it; owned by the caller. NULL: there is
 *  none, it cannot be read, or others than root can have written it, unless the user named the dump by a path. */
char *dump_read_member(const struct dump *dump, const char *name, size_t max);

/** The reason of a dump for one line of a table, from the log or else from the report; never NULL. */
const char *dump_reason(const struct dump *dump);

/** The following two refuse a dump that others than root can have written (KD_ERR_STATE), and a directory that has
 *  replaced the one that was read. Pin @dump, so that retention and remove do not delete it, or unpin it. */
struct kd_error *dump_pin(const struct dump *dump, bool pin) MUST_CHECK;

/** Delete the files of @dump and its directory. Links are deleted, not followed. A subdirectory is an error. */
struct kd_error *dump_remove(const struct dumps *dumps, const struct dump *dump) MUST_CHECK;

/** The member of a report at @path ("memory.peak"); NULL if it does not exist. Borrowed. */
struct json_object *report_get(struct json_object *report, const char *path);
/** The same member as text or number; NULL or 0 if it does not exist or has another type. */
const char *report_string(struct json_object *report, const char *path);
uint64_t report_u64(struct json_object *report, const char *path);
double report_number(struct json_object *report, const char *path);

/** Memory that the capture could not read. */
struct unreadable {
	uint64_t count;
	const char *unit; /* "pages"; "bytes" of a plain copy */
	uint64_t first;   /* where the lowest is: physical address, or offset in the vmcore */
	bool is_offset;
	const char *error; /* why; NULL: the report tells neither where nor why */
};

/** False: the capture could read everything, by its report. The text is borrowed. */
bool report_find_unreadable(struct json_object *report, struct unreadable *ret);

/** The same as "206 pages, the first at 0x7c000: Input/output error"
 *  in @buf; NULL if it could read everything. */
const char *report_unreadable(struct json_object *report, char *buf, size_t size);

/** The words for a step of the capture, at most 14 characters; for an unknown step, its name. */
const char *report_step_words(const char *name);

#endif
