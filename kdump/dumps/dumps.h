/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The dumps of this machine: directories below the dump path, each of which a capture has left.
 *
 *  A directory counts if its name is Red Hat's and ours, "<address>-YYYY-MM-DD-HH:MM:SS" (with "-N" behind it for the
 *  second of one second), or a time as Debian's kdump-tools writes it ("202611241031"); everything else that lies there
 *  is left alone. Links are not followed. What is in the files is not trusted.
 */
#ifndef KDUMP_DUMPS_DUMPS_H
#define KDUMP_DUMPS_DUMPS_H

#include <dirent.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "kdump/dumps/crash_log.h"

enum dump_state {
	DUMP_COMPLETE,   /* vmcore is there under its final name */
	DUMP_INCOMPLETE, /* vmcore-incomplete */
	DUMP_LOG_ONLY,   /* no vmcore */
	DUMP_DAMAGED,    /* a vmcore that is empty, or is no dump at all */
	DUMP_STATES,
};
const char *dump_state_name(enum dump_state state);

struct dump {
	char *name;     /* last component of the directory, which users type */
	char *path;     /* of the directory */
	char *given;    /* the path by which a user named it, if its name alone does not lead to it; else NULL */
	int64_t time;   /* of the crash: of the report, else of the name; seconds since the epoch; 0: not known */
	char *host;     /* NULL: not known; so are the following */
	char *release;  /* uname -r of the crashed kernel */
	char *build_id; /* hex */
	char *vmcore;   /* file name in the directory: "vmcore", "vmcore-incomplete", "dump.2026…" */
	char *log_file; /* "vmcore-dmesg.txt", "dmesg.2026…" */
	uint64_t size;  /* bytes that the directory's files take on the disk */
	enum dump_state state;
	bool flattened; /* a stream of records */
	bool pinned;
	struct json_object *report; /* report.json (capture/report.h); NULL: none that can be read */
	struct crash_log log;       /* zeroed without a log */
};

struct dumps {
	char *path;        /* the directory they lie in */
	struct dump *dump; /* oldest first */
	size_t count;
};

/** All dumps below @directory. A directory that is not there holds no dumps. KD_ERR_OS. */
struct kd_error *dumps_load(const char *directory, struct dumps *ret) MUST_CHECK;
/** A zeroed struct is allowed. */
void dumps_free(struct dumps *dumps);
static inline void dumps_free_cleanup(struct dumps *dumps)
{
	dumps_free(dumps);
}

/** The dump that @words mean: a name, the beginning of one that only one dump has, a path of a dump's directory below
 *  dumps->path, or "-1" for the newest, "-2" … NULL is the newest. KD_ERR_NOT_FOUND. */
struct kd_error *dumps_find(const struct dumps *dumps, const char *words, struct dump **ret) MUST_CHECK;

/** What a user types to name it. */
static inline const char *dump_operand(const struct dump *dump)
{
	return dump->given ? dump->given : dump->name;
}

/** Steps of dumps_load(), for a dump that is named by a path. The entries of directory @fd, which stays open; @path is
 *  its name in errors. */
struct kd_error *dump_open_entries(const char *path, int fd, DIR **ret) MUST_CHECK;
/** Which files there are in directory @fd, and their room. */
struct kd_error *dump_scan(struct dump *dump, int fd) MUST_CHECK;
/** What these files say. @alone: what lies beside the vmcore is not its own. */
struct kd_error *dump_read_files(struct dump *dump, int fd, bool alone) MUST_CHECK;
/** Does the file @name of directory @fd begin as a dump does? False: no, or (EACCES in errno) it must not be read. */
bool dump_recognise(int fd, const char *name, bool *flattened);
/** The time that a directory's name tells, as local time. False: it is no dump's name. */
bool dump_time_of_name(const char *name, int64_t *ret);
/** Take over what the log says. */
struct kd_error *dump_read_log_text(struct dump *dump, const char *log) MUST_CHECK;

#define DUMP_LOG_MAX KD_MIB(32) /* bytes of a log that are read */
/** The whole of dump->log_file, owned by the caller. */
struct kd_error *dump_read_log_file(const struct dump *dump, char **ret) MUST_CHECK;

/** A dump's reason for one line of a table: the log's, else the report's; never NULL. */
const char *dump_reason(const struct dump *dump);

/** Mark it so that retention and remove let it be, or not. */
struct kd_error *dump_pin(const struct dump *dump, bool pin) MUST_CHECK;

/** Delete its files and its directory. Only regular files and links themselves are deleted; a directory inside stops
 * it. */
struct kd_error *dump_remove(const struct dumps *dumps, const struct dump *dump) MUST_CHECK;

/** A member of a report along @path ("memory.peak"); NULL if it is not there. Borrowed. */
struct json_object *report_get(struct json_object *report, const char *path);
/** The same as text or number; NULL and 0 if it is not there or not of that type. */
const char *report_string(struct json_object *report, const char *path);
uint64_t report_u64(struct json_object *report, const char *path);
double report_number(struct json_object *report, const char *path);

/** What the capture could not read, by the report, as "206 pages, the first at 0x7c000: Input/output error", in @buf;
 * NULL if there is nothing. */
const char *report_unreadable(struct json_object *report, char *buf, size_t size);

/** A step of the capture, in words of at most 14 characters; of a name that is not known, the name. */
const char *report_step_words(const char *name);

#endif
