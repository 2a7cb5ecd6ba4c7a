/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A verb of kdumpctl, and the command line that it is called with. */
#ifndef KDUMP_VERBS_KDUMPCTL_H
#define KDUMP_VERBS_KDUMPCTL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"

#define KDUMPCTL_OPTIONS_MAX 16 /* of one verb */

struct kdumpctl {
	struct kd_sysroot root; /* the machine */
	struct kd_log log;      /* standard error */
	const char *conf_file;  /* --config, below the root */
	const char *kernel;     /* --kernel: a release; NULL: as configured */
	const char *capture;    /* the program that becomes /init */
	bool dry_run, verbose, json;
	bool waited; /* for the lock, while kdump-refresh.service had it */
	/* The values of the verb's own options, in the order of its table. NULL: not given; "": a given flag. */
	const char *option[KDUMPCTL_OPTIONS_MAX];
	char **argument; /* operands after the verb; NULL-terminated */
	size_t argument_count;
	size_t leading; /* how many of the operands stand before a "--" */
};

/** A verb. *status := its exit status, which is 0 on entry. main prints an error, and exits with 1. */
typedef struct kd_error *kdumpctl_verb(struct kdumpctl *ctl, int *status);

/** An option that one verb has beside the common ones. */
struct verb_option {
	const char *name;  /* without the dashes; NULL ends a table */
	char letter;       /* 0: none */
	const char *value; /* name of its value in the help, "SIZE"; "[SIZE]": optional; NULL: a flag */
	const char *help;
};

enum verb_flags {
	VERB_CHANGES = 1 << 0, /* changes the machine's state: needs root, and only one runs at a time */
	VERB_LIVE = 1 << 1,    /* works only on the running machine, except with --dry-run */
	VERB_DRY_RUN = 1 << 2, /* takes --dry-run */
	VERB_JSON = 1 << 3,    /* takes --json */
	VERB_HIDDEN = 1 << 4,  /* for units, rules and package scripts; not shown in the help */
	VERB_DUMP = 1 << 5,    /* its operands are dumps: "-12" is an operand, not an option */
	VERB_FILE = 1 << 6,    /* its operands may be paths (for completion) */
	VERB_REFRESH = 1 << 7, /* a unit runs it after an edit: whoever has edited waits for it in silence */
};

enum verb_group { VERB_GROUP_ARM, VERB_GROUP_MEMORY, VERB_GROUP_DUMPS, VERB_GROUP_REBOOT, VERB_GROUPS };

/** A row of the table from which usage, help and completions are made. */
struct verb {
	const char *name;
	kdumpctl_verb *run;  /* NULL: a verb of Red Hat's that is refused by name */
	const char *refused; /* why, and what to do instead */
	enum verb_group group;
	unsigned int flags;
	const char *arguments; /* as the help shows them, "[DUMP]"; NULL: takes none */
	size_t arguments_min, arguments_max;
	const struct verb_option *options; /* NULL: none */
	const char *looks[2];              /* of those: with one of these it changes nothing, as with --dry-run */
	const char *help;                  /* a line */
	const char *failed;                /* the last line if the verb fails; NULL: none */
};

#endif
