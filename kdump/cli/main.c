/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl(8): arm the machine for its own crash, tell whether it is armed, and look after the dumps. */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "kdump/cli/lock.h"
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

static int print_help(void)
{
	enum verb_group group;

	print_usage(stdout, "");
	puts("\nArm this machine so that a kernel crash leaves a dump, tell whether it is armed, and look after the dumps.");
	for (group = 0; group < VERB_GROUPS; group++)
		print_group(group);
	puts("\nOptions:\n"
	     "  -v, --verbose      say more\n"
	     "      --config FILE  instead of " KD_SYSCONFDIR "/kdump.conf\n"
	     "      --kernel KVER  capture with this kernel instead of the running or the configured one\n"
	     "      --sysroot DIR  look at the machine whose files lie below DIR\n"
	     "      --capture FILE instead of " KD_LIBEXECDIR "/capture\n"
	     "  -h, --help         print this; after a verb: about the verb\n"
	     "  -V, --version      print the version\n"
	     "\nSee kdumpctl(8) and kdump.conf(5).");
	return 0;
}

static void print_option(char letter, const char *name, const char *value, const char *help)
{
	char words[64];

	if (value && *value == '[') /* "[FILE]" */
		snprintf(words, sizeof(words), "--%s[=%s", name, value + 1);
	else
		snprintf(words, sizeof(words), "--%s%s%s", name, value ? "=" : "", value ? value : "");
	if (letter)
		printf("  -%c, %-20s %s\n", letter, words, help);
	else
		printf("      %-20s %s\n", words, help);
}

static int print_verb_help(const struct verb *verb)
{
	const struct verb_option *option;

	printf("Usage: kdumpctl %s%s%s%s\n\n%c%s.\n\nOptions:\n", verb->name, verb->options ? " [OPTION…]" : "",
	       verb->arguments ? " " : "", verb->arguments ? verb->arguments : "",
	       verb->help[0] >= 'a' && verb->help[0] <= 'z' ? verb->help[0] - 'a' + 'A' : verb->help[0],
	       verb->help + 1);
	for (option = verb->options; option && option->name; option++)
		print_option(option->letter, option->name, option->value, option->help);
	if (verb->flags & VERB_JSON)
		print_option(0, "json", NULL, "on standard output, for programs");
	if (verb->flags & VERB_DRY_RUN)
		print_option(0, "dry-run", NULL, "resolve, check and print everything, change nothing");
	print_option('v', "verbose", NULL, "say more");
	puts("\nThe common options (kdumpctl --help) are understood, too. See kdumpctl(8).");
	return 0;
}

static int usage_error(void)
{
	print_usage(stderr, "kdump: ");
	return 1;
}

/* --- the command line --------------------------------------------------------------------------------------------- */

enum { OPT_SYSROOT = 256, OPT_DRY_RUN, OPT_CONFIG, OPT_JSON, OPT_KERNEL, OPT_CAPTURE, OPT_OF_VERB };

static const struct option common_options[] = {
	{ "verbose", no_argument, NULL, 'v' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "sysroot", required_argument, NULL, OPT_SYSROOT },
	{ "capture", required_argument, NULL, OPT_CAPTURE },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
};
#define COMMON_LETTERS "vhV"

/* What getopt_long() is told: the verb's own options first, so that they win over common ones of the same name. */
struct syntax {
	struct option options[KDUMPCTL_OPTIONS_MAX + ARRAY_SIZE(common_options) + 1];
	char letters[3 * KDUMPCTL_OPTIONS_MAX + sizeof("-" COMMON_LETTERS)];
};

static void add_letter(struct syntax *syntax, const struct verb_option *option)
{
	size_t length = strlen(syntax->letters);

	syntax->letters[length++] = option->letter;
	if (option->value)
		syntax->letters[length++] = ':';
	if (option->value && *option->value == '[')
		syntax->letters[length++] = ':';
	syntax->letters[length] = '\0';
}

static int takes_value(const struct verb_option *option)
{
	if (!option->value)
		return no_argument;
	return *option->value == '[' ? optional_argument : required_argument;
}

static void make_syntax(const struct verb *verb, struct syntax *ret)
{
	const struct verb_option *option;
	size_t count = 0, i;

	/* What stands behind the verb may be the verb's; of a verb, operands are handed out in their places. */
	*ret = (struct syntax){ 0 };
	strcpy(ret->letters, verb ? "-" : "+");
	for (option = verb ? verb->options : NULL; option && option->name; option++) {
		ret->options[count] = (struct option){ option->name, takes_value(option), NULL, OPT_OF_VERB + count };
		count++;
		if (option->letter)
			add_letter(ret, option);
	}
	strcat(ret->letters, COMMON_LETTERS);
	for (i = 0; i < ARRAY_SIZE(common_options); i++)
		ret->options[count++] = common_options[i];
}

/* Where in the verb's table getopt's answer @c is; -1: it is a common option. */
static int own_option(const struct verb *verb, int c)
{
	int i;

	if (!verb || !verb->options)
		return -1;
	if (c >= OPT_OF_VERB)
		return c - OPT_OF_VERB;
	for (i = 0; verb->options[i].name; i++)
		if (verb->options[i].letter && verb->options[i].letter == c)
			return i;
	return -1;
}

/* "-12": a dump counted from the end. getopt would take it for options. */
static bool is_counted(const char *word)
{
	return word[0] == '-' && word[1] && strspn(word + 1, "0123456789") == strlen(word + 1);
}

/* The next option, an operand (1, in optarg), or -1 at the end of both. */
static int next_word(int argc, char **argv, const struct verb *verb, const struct syntax *syntax)
{
	if (verb && (verb->flags & VERB_DUMP) && optind < argc && is_counted(argv[optind])) {
		optarg = argv[optind++];
		return 1;
	}
	return getopt_long(argc, argv, syntax->letters, syntax->options, NULL);
}

/* Options up to the first word that is none (@verb NULL), or all of the verb's; then its operands are what stands at
 * ctl->argument. Returns -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, const struct verb *verb, struct kdumpctl *ctl, const char **sysroot)
{
	struct syntax syntax;
	int c, own;

	make_syntax(verb, &syntax);
	optind = 0;
	getopt_long(1, argv, syntax.letters, syntax.options, NULL); /* begins anew, with these letters */
	while ((c = next_word(argc, argv, verb, &syntax)) != -1) {
		own = own_option(verb, c);
		if (own >= 0) {
			ctl->option[own] = optarg ? optarg : "";
			if ((verb->flags & VERB_DRY_RUN) && strcmp(verb->options[own].name, "print") == 0)
				ctl->dry_run = true;
			continue;
		}
		switch (c) {
		case 1: /* never ahead of the word that was read */
			ctl->argument[ctl->argument_count++] = optarg;
			break;
		case 'v':
			ctl->verbose = true;
			break;
		case OPT_JSON:
			ctl->json = true;
			break;
		case OPT_DRY_RUN:
			ctl->dry_run = true;
			break;
		case OPT_KERNEL:
			ctl->kernel = optarg;
			break;
		case OPT_CONFIG:
			ctl->conf_file = optarg;
			break;
		case OPT_SYSROOT:
			*sysroot = optarg;
			break;
		case OPT_CAPTURE:
			ctl->capture = optarg;
			break;
		case 'h':
			return verb && verb_is_shown(verb) ? print_verb_help(verb) : print_help();
		case 'V':
			puts("kdumpctl (" PACKAGE_NAME ") " PACKAGE_VERSION);
			return 0;
		default:
			return usage_error();
		}
	}
	return -1;
}

/* The whole command line. Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct kdumpctl *ctl, const char **sysroot, const struct verb **verb)
{
	int status = parse_options(argc, argv, NULL, ctl, sysroot);

	if (status >= 0)
		return status;
	*verb = optind < argc ? kdumpctl_find_verb(argv[optind]) : NULL;
	if (!*verb)
		return usage_error();
	/* The verb stands for the program's name now. */
	argc -= optind;
	argv += optind;
	ctl->argument = argv + 1;
	status = parse_options(argc, argv, *verb, ctl, sysroot);
	if (status >= 0)
		return status;
	ctl->leading = ctl->argument_count;
	while (optind < argc)
		ctl->argument[ctl->argument_count++] = argv[optind++];
	ctl->argument[ctl->argument_count] = NULL;
	if ((*verb)->run &&
	    (ctl->argument_count < (*verb)->arguments_min || ctl->argument_count > (*verb)->arguments_max))
		return usage_error();
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
		return kd_error_create(KD_ERR_USAGE, "--dry-run makes no sense with %s", verb->name);
	if (ctl->json && !(verb->flags & VERB_JSON))
		return kd_error_create(KD_ERR_USAGE, "--json makes no sense with %s", verb->name);
	if ((verb->flags & VERB_LIVE) && !live && !ctl->dry_run)
		return kd_error_create(KD_ERR_USAGE,
				       "%s works on the running machine only: with --sysroot, use --dry-run",
				       verb->name);
	/* What can be looked at without root may be shown; a load cannot be laid out without /proc/iomem. */
	if ((verb->flags & VERB_CHANGES) && live && geteuid() != 0 && (!ctl->dry_run || (verb->flags & VERB_LIVE)))
		return kd_error_create(KD_ERR_STATE, "kdumpctl %s needs root: use sudo", verb->name);
	/* A configuration that is gone is something that the hidden ones have to deal with; dumps are looked at
	 * anywhere. */
	if (!(verb->flags & VERB_HIDDEN) && verb->group != VERB_GROUP_DUMPS &&
	    !kd_sysroot_exists(&ctl->root, ctl->conf_file)) {
		kd_info(&ctl->log, "%s%s does not exist: an empty file there is enough", ctl->root.prefix,
			ctl->conf_file);
		return kd_error_create(KD_ERR_CONFIG, "Error: No kdump config file found!");
	}
	return NULL;
}

/* After the last word on standard output: an error if it did not arrive. */
static struct kd_error *flush(void)
{
	if (fflush(stdout) || ferror(stdout))
		return kd_error_os(errno, "cannot write to standard output");
	return NULL;
}

static struct kd_error *run_verb(struct kdumpctl *ctl, const struct verb *verb, int *status)
{
	_cleanup_close_ int lock = -1;
	struct kd_error *err = NULL;

	if ((verb->flags & VERB_CHANGES) && !ctl->dry_run)
		err = lock_take(&ctl->root, &ctl->log, &lock);
	if (!err)
		err = verb->run(ctl, status);
	return err ? err : flush();
}

int main(int argc, char **argv)
{
	struct kdumpctl ctl = { .conf_file = KD_SYSCONFDIR "/kdump.conf", .capture = KD_LIBEXECDIR "/capture" };
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { .fd = -1 };
	const char *sysroot = NULL;
	const struct verb *verb = NULL;
	struct kd_error *err;
	int status;

	status = parse(argc, argv, &ctl, &sysroot, &verb);
	if (status >= 0)
		return status;
	kd_log_init(&ctl.log, stderr, "kdump", ctl.verbose ? KD_LOG_DEBUG : KD_LOG_INFO);
	umask(022); /* what must not be read by others is made with a narrower mode */

	status = 0;
	err = kd_sysroot_open(sysroot, &root);
	if (!err) {
		ctl.root = root;
		err = check_allowed(&ctl, verb);
	}
	if (kd_log_error(&ctl.log, err))
		return 1;
	if (kd_log_error(&ctl.log, run_verb(&ctl, verb, &status))) {
		if (verb->failed)
			kd_log(&ctl.log, KD_LOG_ERROR, "%s", verb->failed);
		return 1;
	}
	return status;
}
