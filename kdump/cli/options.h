/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The command line's options, once: for getopt_long(), for the help, and for completions.
 *
 *  A verb takes its own options (struct verb) and the common ones, of which --json and --dry-run belong to verbs that
 *  know them. An option of a verb wins over a common one of the same name.
 */
#ifndef KDUMP_CLI_OPTIONS_H
#define KDUMP_CLI_OPTIONS_H

#include "kdump/verbs/kdumpctl.h"

/** What the command line says. */
struct command_line {
	struct kdumpctl ctl;
	const char *sysroot; /* NULL: the running machine */
	bool help, version;  /* print that, and stop */
	bool wrong;          /* an option that is not known, or has no value */
};

/** Call @function for each option that @verb takes, its own first. @verb NULL: for those that every verb takes. */
void options_each(const struct verb *verb, void (*function)(const struct verb *verb, const struct verb_option *option));

/** The common option that was given an empty value, as by a variable that is not set; NULL: none. */
const char *options_empty(const struct command_line *line);

/** Read @argv from its second word on, and set what the options say. Options of a verb may stand anywhere; its operands
 *  become line->ctl.argument, which has to have room. @verb NULL: only read what stands before the verb. Stops at the
 *  first of help, version and wrong, which it sets. Returns the index of the first word that was not read. */
int options_read(int argc, char **argv, const struct verb *verb, struct command_line *line);

#endif
