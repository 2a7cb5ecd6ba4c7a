/* SPDX-License-Identifier: GPL-2.0-or-later */
/** GRUB's configuration, which is a script (grub.cfg): run as far as a menu depends on it (GNU GRUB manual, "Writing
 *  full configuration files directly"). Variables, conditions and files that they ask for are those of the machine;
 *  commands that draw, search or load nothing are passed over, loops and functions too. */
#ifndef KDUMP_BOOT_GRUB_SCRIPT_H
#define KDUMP_BOOT_GRUB_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/boot/entries.h"

struct grub_variable {
	char *name, *value;
};

/** What a script knows. */
struct grub_variables {
	struct grub_variable *variable;
	size_t count;
};

/** The value; "" if it is not set. */
const char *grub_variable_get(const struct grub_variables *variables, const char *name);
struct kd_error *grub_variable_set(struct grub_variables *variables, const char *name, const char *value) MUST_CHECK;

/** A zeroed struct is allowed. */
void grub_variables_free(struct grub_variables *variables);
static inline void grub_variables_free_cleanup(struct grub_variables *variables)
{
	grub_variables_free(variables);
}

/** Set what an environment block has (grubenv: "name=value" lines below a line of comment, filled up by '#'). Text of
 *  another form is passed over. */
struct kd_error *grub_environment_parse(const char *text, struct grub_variables *ret) MUST_CHECK;

struct grub_hooks {
	/* "load_env": set what the file of the environment has. */
	struct kd_error *(*load_environment)(void *arg, struct grub_variables *variables);
	/* "blscfg": append the entries of the Boot Loader Specification. */
	struct kd_error *(*add_entries)(void *arg, const struct grub_variables *variables,
					struct boot_entries *entries);
	/* Is there a file of that name, in GRUB's terms? @filled: and is it not empty? */
	bool (*has_file)(void *arg, const char *path, bool filled);
	/* "source": the text of that file; *ret stays NULL if it cannot be read, which GRUB passes over, too. */
	struct kd_error *(*read_file)(void *arg, const char *path, char **ret);
	void *arg;
};

/** Run the script @text, of the file @name (for messages), and append its entries to @entries. KD_ERR_FORMAT: a quote
 *  or a block is not closed; KD_ERR_LIMIT: blocks are nested too deeply. */
struct kd_error *grub_script_run(const char *text, const char *name, const struct grub_hooks *hooks,
				 struct grub_variables *variables, struct boot_entries *entries) MUST_CHECK;

#endif
