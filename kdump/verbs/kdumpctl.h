/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What a verb of kdumpctl is, and what it is called with. */
#ifndef KDUMP_VERBS_KDUMPCTL_H
#define KDUMP_VERBS_KDUMPCTL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"

#define KDUMPCTL_OPTIONS_MAX 12 /* of one verb */

struct kdumpctl {
	struct kd_sysroot root; /* the machine */
	struct kd_log log;      /* standard error */
	const char *conf_file;  /* --config, below the root */
	const char *kernel;     /* --kernel: a release; NULL: as configured */
	const char *capture;    /* the program that becomes /init */
	bool dry_run, verbose, json;
	/* What the verb's own options were given, in the order of its table: NULL: not given; "": a flag that was. */
	const char *option[KDUMPCTL_OPTIONS_MAX];
	char **argument; /* operands after the verb; NULL-terminated */
	size_t argument_count;
	size_t leading; /* how many of the operands stand before a "--" */
};

/** A verb. *status := exit status, 0 unless the verb has others. An error is printed by main, and means 1. */
typedef struct kd_error *kdumpctl_verb(struct kdumpctl *ctl, int *status);

/** An option that one verb has beside the common ones. */
struct verb_option {
	const char *name;  /* without the dashes; NULL ends a table */
	char letter;       /* 0: none */
	const char *value; /* what its value is called in the help, "SIZE"; "[SIZE]": may be left out; NULL: a flag */
	const char *help;
};

enum verb_flags {
	VERB_CHANGES = 1 << 0, /* the machine's state: needs root, and one at a time */
	VERB_LIVE = 1 << 1,    /* only on the machine itself, unless --dry-run */
	VERB_DRY_RUN = 1 << 2, /* knows --dry-run; an option "print" of its own is the same */
	VERB_JSON = 1 << 3,    /* knows --json */
	VERB_HIDDEN = 1 << 4,  /* called by units, rules and package scripts: not in the help */
	VERB_DUMP = 1 << 5,    /* its operands are dumps: "-12" is one, and no option */
	VERB_FILE = 1 << 6,    /* they may be paths of files and directories (for completion) */
};

enum verb_group { VERB_GROUP_ARM, VERB_GROUP_MEMORY, VERB_GROUP_DUMPS, VERB_GROUPS };

/** A row of the table from which usage, help and completions are made. */
struct verb {
	const char *name;
	kdumpctl_verb *run;  /* NULL: Red Hat's, and refused by name */
	const char *refused; /* why, and what to do instead */
	enum verb_group group;
	unsigned int flags;
	const char *arguments; /* as the help shows them, "[DUMP]"; NULL: none are taken */
	size_t arguments_min, arguments_max;
	const struct verb_option *options; /* NULL: none */
	const char *help;                  /* a line */
	const char *failed;                /* last line when it fails; NULL: none */
};

#endif
