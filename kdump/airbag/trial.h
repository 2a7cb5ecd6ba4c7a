/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A trial of a new kernel: its record, which outlives the boots, and its words on the kernels' command lines. */
#ifndef KDUMP_AIRBAG_TRIAL_H
#define KDUMP_AIRBAG_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"

#define TRIAL_PATH KD_STATEDIR "/trial"

enum { TRIAL_ID_SIZE = 9 };

enum trial_state {
	TRIAL_PENDING,   /* the new kernel was to be started, or runs */
	TRIAL_COMMITTED, /* it was reported healthy */
	TRIAL_RETURNED,  /* the old kernel runs again */
};

/** Texts are owned; NULL: not set. */
struct trial {
	enum trial_state state;
	char id[TRIAL_ID_SIZE]; /* 8 hex digits */
	char *boot;             /* ID of the boot that prepared it */
	char *from, *to;        /* releases */
	char *default_title;    /* the entry that the boot loader takes by default; NULL: unknown */
	char *failed;           /* what "kdumpctl healthy" complained about last */
	char *how;              /* TRIAL_RETURNED: TRIAL_BY_PANIC or TRIAL_BY_FIRMWARE */
	char *back;             /* TRIAL_RETURNED: ID of the boot that noticed it */
	uint64_t deadline;      /* seconds from the start of the new kernel's init */
	uint64_t time;          /* when it was prepared, seconds since the epoch */
	char *settings;         /* kernel.* as the old kernel had them: "panic=0 panic_on_oops=0 …" */
};

#define TRIAL_BY_PANIC    "panic"    /* the new kernel's panic kernel, by a panic of its own or of the deadman's */
#define TRIAL_BY_FIRMWARE "firmware" /* a reset, and the boot loader's default */

/** A trial that is about to begin: with an ID, and the settings of the running kernel. */
struct kd_error *trial_new(const struct kd_sysroot *root, struct trial *ret) MUST_CHECK;

/** *found is false, and *ret zeroed, if there is no record. KD_ERR_FORMAT, KD_ERR_STATE, KD_ERR_OS. */
struct kd_error *trial_read(const struct kd_sysroot *root, struct trial *ret, bool *found) MUST_CHECK;
struct kd_error *trial_parse(char *text, struct trial *ret) MUST_CHECK;
struct kd_error *trial_write(const struct kd_sysroot *root, const struct trial *trial) MUST_CHECK;

/** A zeroed struct is allowed. */
void trial_free(struct trial *trial);
static inline void trial_free_cleanup(struct trial *trial)
{
	trial_free(trial);
}

/** The command line of the new kernel: @cmdline, and behind it what is for the trial alone. @crashkernel: a value that
 *  takes the place of the command line's own; NULL: that is enough. KD_ERR_UNSUPPORTED: @cmdline has words that are in
 *  the way. *ret is owned by the caller. */
struct kd_error *trial_cmdline(const struct trial *trial, const char *cmdline, const char *crashkernel,
			       char **ret) MUST_CHECK;

/** The command line with which the old kernel returns. @cmdline: of the running kernel. *ret is owned by the caller. */
struct kd_error *trial_returned_cmdline(const struct trial *trial, const char *cmdline, char **ret) MUST_CHECK;

/** The value of word @name ("kdump.try=") on the running kernel's command line; "": it is not there. */
struct kd_error *trial_word(const struct kd_sysroot *root, const char *name, char ret[TRIAL_ID_SIZE]) MUST_CHECK;

/** The same of any command line. KD_ERR_NOT_FOUND: it is not there. */
struct kd_error *trial_find_id(const char *cmdline, const char *name, char ret[TRIAL_ID_SIZE]) MUST_CHECK;

/** Remove the record. If there is none, that is success. */
struct kd_error *trial_forget(const struct kd_sysroot *root) MUST_CHECK;

/** "pending", "committed", "returned". */
const char *trial_state_name(const struct trial *trial);

/** What became of the last trial, in one sentence: *ret is owned by the caller, and NULL if there is nothing to
 *  tell. */
struct kd_error *trial_describe(const struct trial *trial, char **ret) MUST_CHECK;

/** After a boot: if the last trial was pending and this is not its kernel, the machine has returned. Notes that, and
 *  *returned := true, with *ret as in trial_read(). */
struct kd_error *trial_settle(const struct kd_sysroot *root, struct trial *ret, bool *returned) MUST_CHECK;

/** Give the running kernel the settings of the old one again, where they are still those of the trial. What cannot be
 *  set is a warning. */
void trial_restore_settings(const struct kd_sysroot *root, const struct trial *trial, const struct kd_log *log);

#endif
