/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl(8): arm the machine for a crash, tell whether it is armed, and manage the dumps. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "kdump/cli/lock.h"
#include "kdump/cli/options.h"
#include "kdump/cli/verb_table.h"

/* --- help --------------------------------------------------------------------------------------------------------- */

static void print_usage(FILE *out, const char *prefix)
{
	const char *separator = "{";
	size_t i;

	fprintf(out, "%sUsage: kdumpctl ", prefix);
	for (i = 0; i < kdumpctl_verb_count; i++) {
		if (!verb_is_shown(&kdumpctl_verbs[i]))
			continue;
		fprintf(out, "%s%s", separator, kdumpctl_verbs[i].name);
		separator = "|";
	}
	fputs("}\n", out);
}

static const char *const group_titles[VERB_GROUPS] = {
	[VERB_GROUP_ARM] = "To be ready",
	[VERB_GROUP_MEMORY] = "The reservation",
	[VERB_GROUP_DUMPS] = "After a crash",
	[VERB_GROUP_REBOOT] = "A new kernel",
};

static void print_group(enum verb_group group)
{
	bool titled = false;
	size_t i;

	for (i = 0; i < kdumpctl_verb_count; i++) {
		if (!verb_is_shown(&kdumpctl_verbs[i]) || kdumpctl_verbs[i].group != group)
			continue;
		if (!titled)
			printf("\n%s:\n", group_titles[group]);
		titled = true;
		printf("  %-24s %s\n", kdumpctl_verbs[i].name, kdumpctl_verbs[i].help);
	}
}

static void print_option(const struct verb *verb, const struct verb_option *option)
{
	char words[64];

	if (option->value && *option->value == '[') /* "[FILE]" */
		snprintf(words, sizeof(words), "--%s[=%s", option->name, option->value + 1);
	else
		snprintf(words, sizeof(words), "--%s%s%s", option->name, option->value ? "=" : "",
			 option->value ? option->value : "");
	if (option->letter)
		printf("  -%c, %-20s %s\n", option->letter, words, option->help);
	else
		printf("      %-20s %s\n", words, option->help);
}

static int print_help(void)
{
	enum verb_group group;

	print_usage(stdout, "");
	puts("\nArm this machine so that a kernel crash leaves a dump, tell whether it is armed, and manage the dumps.");
	for (group = 0; group < VERB_GROUPS; group++)
		print_group(group);
	puts("\nOptions:");
	options_each(NULL, print_option);
	puts("\nSee kdumpctl(8) and kdump.conf(5).");
	return 0;
}

static void print_verb_usage(FILE *out, const char *prefix, const struct verb *verb)
{
	fprintf(out, "%sUsage: kdumpctl %s%s%s%s\n", prefix, verb->name, verb->options ? " [OPTION…]" : "",
		verb->arguments ? " " : "", verb->arguments ? verb->arguments : "");
}

static int print_verb_help(const struct verb *verb)
{
	print_verb_usage(stdout, "", verb);
	printf("\n%c%s.\n\nOptions:\n",
	       verb->help[0] >= 'a' && verb->help[0] <= 'z' ? verb->help[0] - 'a' + 'A' : verb->help[0],
	       verb->help + 1);
	options_each(verb, print_option);
	puts("\nSee kdumpctl(8).");
	return 0;
}

/* @verb NULL: none is known. A verb that takes no operands may have got a second verb, so that the list helps. */
static int usage_error(const struct verb *verb)
{
	if (verb && (verb->options || verb->arguments))
		print_verb_usage(stderr, "kdump: ", verb);
	else
		print_usage(stderr, "kdump: ");
	return 1;
}

/* --- the command line --------------------------------------------------------------------------------------------- */

/* After some options: -1 to go on, else the exit status. */
static int answer(const struct command_line *line, const struct verb *verb)
{
	if (line->wrong)
		return usage_error(verb);
	if (line->help)
		return verb && verb_is_shown(verb) ? print_verb_help(verb) : print_help();
	if (line->version) {
		puts("kdumpctl (" PACKAGE_NAME ") " PACKAGE_VERSION);
		return 0;
	}
	return -1;
}

/* The whole command line. Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct command_line *line, const struct verb **verb)
{
	struct kdumpctl *ctl = &line->ctl;
	int next = options_read(argc, argv, NULL, line), status = answer(line, NULL);

	if (status >= 0)
		return status;
	*verb = next < argc ? kdumpctl_find_verb(argv[next]) : NULL;
	if (!*verb)
		return usage_error(NULL);
	/* The verb stands for the program's name now. */
	argc -= next;
	argv += next;
	ctl->argument = argv + 1;
	next = options_read(argc, argv, *verb, line);
	status = answer(line, *verb);
	if (status >= 0)
		return status;
	ctl->leading = ctl->argument_count;
	while (next < argc)
		ctl->argument[ctl->argument_count++] = argv[next++];
	ctl->argument[ctl->argument_count] = NULL;
	if ((*verb)->run &&
	    (ctl->argument_count < (*verb)->arguments_min || ctl->argument_count > (*verb)->arguments_max))
		return usage_error((*verb)->arguments ? *verb : NULL);
	return -1;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

/* May this verb do its work here? */
static struct kd_error *check_allowed(const struct kdumpctl *ctl, const struct verb *verb)
{
	bool live = kd_sysroot_is_live(&ctl->root);

	if (!verb->run)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s is not implemented: %s", verb->name, verb->refused);
	if (ctl->dry_run && !(verb->flags & VERB_DRY_RUN))
		return kd_error_create(KD_ERR_USAGE, "%s does not take --dry-run", verb->name);
	if (ctl->json && !(verb->flags & VERB_JSON))
		return kd_error_create(KD_ERR_USAGE, "%s does not take --json", verb->name);
	if ((verb->flags & VERB_LIVE) && !live && !ctl->dry_run)
		return kd_error_create(KD_ERR_USAGE, "%s works on the running machine only: %s", verb->name,
				       verb->flags & VERB_DRY_RUN ? "add --dry-run to --sysroot" :
								    "leave out --sysroot");
	/* Anybody may see what can be read without root. The layout of a load needs /proc/iomem, and so root. */
	if ((verb->flags & VERB_CHANGES) && live && geteuid() != 0 && (!ctl->dry_run || (verb->flags & VERB_LIVE)))
		return kd_error_create(KD_ERR_STATE, "kdumpctl %s needs root: use sudo", verb->name);
	/* Hidden verbs have to cope without a configuration, and dumps can be looked at on any machine. */
	if (!(verb->flags & VERB_HIDDEN) && verb->group != VERB_GROUP_DUMPS &&
	    !kd_sysroot_exists(&ctl->root, ctl->conf_file)) {
		kd_info(&ctl->log, "%s%s does not exist: create it; an empty file is enough", ctl->root.prefix,
			ctl->conf_file);
		return kd_error_create(KD_ERR_CONFIG, "Error: No kdump config file found!");
	}
	return NULL;
}

static struct kd_error *run_verb(struct kdumpctl *ctl, const struct verb *verb, int *status)
{
	_cleanup_close_ int lock = -1;
	struct kd_error *err = NULL;

	if ((verb->flags & VERB_CHANGES) && !ctl->dry_run)
		err = lock_take(&ctl->root, &ctl->log, verb->flags & VERB_REFRESH, &ctl->waited, &lock);
	if (!err)
		err = verb->run(ctl, status);
	return err ? err : kd_flush_stdout();
}

int main(int argc, char **argv)
{
	struct command_line line = { .ctl = { .conf_file = KD_SYSCONFDIR "/kdump.conf",
					      .capture = KD_LIBEXECDIR "/capture" } };
	struct kdumpctl *ctl = &line.ctl;
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { .fd = -1 };
	const struct verb *verb = NULL;
	struct kd_error *err;
	int status;

	status = parse(argc, argv, &line, &verb);
	if (status >= 0)
		return status;
	kd_log_init(&ctl->log, stderr, "kdump", ctl->verbose ? KD_LOG_DEBUG : KD_LOG_INFO);
	umask(022); /* files that others must not read get a narrower mode */

	status = 0;
	err = options_empty(&line) ? kd_error_create(KD_ERR_USAGE, "--%s is empty: give a value, or leave it out",
						     options_empty(&line)) :
				     kd_sysroot_open(line.sysroot, &root);
	if (!err) {
		ctl->root = root;
		err = check_allowed(ctl, verb);
	}
	if (kd_log_error(&ctl->log, err))
		return 1;
	if (kd_log_error(&ctl->log, run_verb(ctl, verb, &status))) {
		if (verb->failed)
			kd_log(&ctl->log, KD_LOG_ERROR, "%s", verb->failed);
		return 1;
	}
	return status;
}
