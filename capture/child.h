/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Child processes with a deadline, for work that may crash, hang or be killed.
 *
 *  The child shares no memory with its parent except what was mapped with shared_alloc() before; an error that it
 *  returns reaches the parent whole. A child that is stuck in the kernel and does not even die is left behind
 *  (CHILD_LEFT): the caller goes on after the deadline in any case. It must then keep away from what the child works
 *  on: the kernel may hold the locks of that directory, disk or device for ever.
 */
#ifndef CAPTURE_CHILD_H
#define CAPTURE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum child_end {
	CHILD_OK,     /* run() returned NULL, or the program that it became exited with 0 */
	CHILD_ERROR,  /* run() returned an error */
	CHILD_EXIT,   /* the program exited with another status */
	CHILD_SIGNAL, /* it died from a signal */
	CHILD_KILLED, /* the deadline passed, or tick() gave it up */
	CHILD_LEFT,   /* it has not ended: it is stuck in the kernel, or was spared */
	CHILD_NONE,   /* it could not be started */
};

struct child_job {
	const char *name;                   /* for messages */
	struct kd_error *(*run)(void *arg); /* in the child; may exec */
	bool (*tick)(void *arg, pid_t pid); /* in the parent about once a second; false: kill it. May be NULL */
	void *arg;                          /* of run() and tick() */
	int64_t deadline;                   /* clock_ms() value */
	bool expendable;                    /* the kernel kills it first when memory runs out */
	bool spared;                        /* after the deadline it is not killed but goes on by itself */
};

struct child_result {
	enum child_end end;
	int status;           /* exit status, or the signal's number */
	uint64_t peak_memory; /* bytes, resident */
};

/** Run @job to its end. @ret may be NULL. Returns NULL if and only if it ended with CHILD_OK. */
struct kd_error *child_run(const struct child_job *job, struct child_result *ret) MUST_CHECK;

/** The two halves of child_run(), for a caller who has to do something meanwhile, such as read what the child writes.
 *  @job stays in use until child_end(), which waits. A caller who ends without that takes the child along. */
struct child {
	const struct child_job *job;
	struct letter *letter;
	pid_t pid;
	int pidfd;
};
struct kd_error *child_begin(const struct child_job *job, struct child *ret) MUST_CHECK;
struct kd_error *child_end(struct child *child, struct child_result *ret) MUST_CHECK;

/** Start a process that runs beside this one, in a group of its own; it ends when run() returns. -1: it cannot be
 *  started. */
pid_t child_start(void (*run)(void *arg), void *arg);

/** How often the process has run: context switches, in @status, the text of /proc/PID/status. It grows about once a
 *  second in a process that waits in child_run(), and not at all in one that is stuck. 0: the text does not say. */
uint64_t child_activity(const char *status);

/** Is a process alive? Zeroed before the first look. */
struct child_pulse {
	uint64_t activity;
	unsigned int silent;
};

/** Look at process @pid once more. Returns how many looks in a row it has not run at all. */
unsigned int child_silent(struct child_pulse *pulse, pid_t pid);

/** CPU time in milliseconds of a process and of its children that have ended, from the text of its /proc/PID/stat. 0:
 *  it is neither @pid, nor a child of it, nor in its session. */
uint64_t child_cpu_of(const char *stat, pid_t pid);

/** The same for all processes there are: it grows while child @pid or one of its descendants works. */
uint64_t child_cpu(pid_t pid);

/** Replace this process by @argv (looked up in PATH); returns only if that fails. */
struct kd_error *child_exec(char *const *argv) MUST_CHECK;

/** Zeroed memory that stays shared between this process and its later children. NULL: none left. */
void *shared_alloc(size_t size);

#endif
