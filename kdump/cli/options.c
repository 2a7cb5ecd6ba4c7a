/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/cli/options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"

#define FIELD(name) offsetof(struct command_line, name)

static const struct common_option {
	unsigned int flag; /* of the verbs that know it; 0: every verb does */
	size_t field;      /* in struct command_line: a bool, or where it has a value a const char * */
	struct verb_option option;
} common[] = {
	{ VERB_JSON, FIELD(ctl.json), { "json", 0, NULL, "print JSON on standard output, for programs" } },
	{ VERB_DRY_RUN, FIELD(ctl.dry_run), { "dry-run", 0, NULL, "resolve, check and print all, change nothing" } },
	{ 0, FIELD(ctl.verbose), { "verbose", 'v', NULL, "say more" } },
	{ 0, FIELD(ctl.conf_file), { "config", 0, "FILE", "read FILE instead of " KD_SYSCONFDIR "/kdump.conf" } },
	{ 0, FIELD(ctl.kernel), { "kernel", 0, "KVER", "capture with this kernel, not the configured one" } },
	{ 0, FIELD(sysroot), { "sysroot", 0, "DIR", "look at the machine whose files lie below DIR" } },
	{ 0, FIELD(ctl.capture), { "capture", 0, "FILE", "use FILE instead of " KD_LIBEXECDIR "/capture" } },
	{ 0, FIELD(help), { "help", 'h', NULL, "print help; after a verb, help on that verb" } },
	{ 0, FIELD(version), { "version", 'V', NULL, "print the version" } },
};

static bool has_option(const struct verb *verb, const char *name)
{
	const struct verb_option *option;

	for (option = verb ? verb->options : NULL; option && option->name; option++)
		if (strcmp(option->name, name) == 0)
			return true;
	return false;
}

void options_each(const struct verb *verb, void (*function)(const struct verb *verb, const struct verb_option *option))
{
	const struct verb_option *option;
	size_t i;

	for (option = verb ? verb->options : NULL; option && option->name; option++)
		function(verb, option);
	for (i = 0; i < ARRAY_SIZE(common); i++)
		if ((!common[i].flag || (verb && (verb->flags & common[i].flag))) &&
		    !has_option(verb, common[i].option.name))
			function(verb, &common[i].option);
}

/* --- getopt ------------------------------------------------------------------------------------------------------- */

/* What getopt_long() returns for a row; below are letters. */
enum { ANSWER_COMMON = 256, ANSWER_OWN = ANSWER_COMMON + ARRAY_SIZE(common) };

/* What getopt_long() is told: the verb's own options first, so that they win over common ones of the same name. All
 * common ones are there: main refuses --json by name where the verb does not know it. */
struct syntax {
	struct option options[KDUMPCTL_OPTIONS_MAX + ARRAY_SIZE(common) + 1];
	size_t count;
	char letters[3 * (KDUMPCTL_OPTIONS_MAX + ARRAY_SIZE(common)) + 2];
};

static int takes_value(const struct verb_option *option)
{
	if (!option->value)
		return no_argument;
	return *option->value == '[' ? optional_argument : required_argument;
}

static void add(struct syntax *syntax, const struct verb_option *option, int answer)
{
	static const char *const colons[] = {
		[no_argument] = "", [required_argument] = ":", [optional_argument] = "::"
	};
	const int value = takes_value(option);
	const char letter[] = { option->letter, '\0' };

	syntax->options[syntax->count++] = (struct option){ option->name, value, NULL, answer };
	if (option->letter)
		strcat(strcat(syntax->letters, letter), colons[value]);
}

static void make_syntax(const struct verb *verb, struct syntax *ret)
{
	int i;

	/* Behind the verb may stand options of the verb; the operands of a verb are handed out in their places. */
	*ret = (struct syntax){ .letters = "+" };
	if (verb)
		ret->letters[0] = '-';
	for (i = 0; verb && verb->options && verb->options[i].name; i++)
		add(ret, &verb->options[i], ANSWER_OWN + i);
	for (i = 0; i < (int)ARRAY_SIZE(common); i++)
		add(ret, &common[i].option, ANSWER_COMMON + i);
}

/* A letter stands for the row that has it. */
static int resolve_letter(const struct verb *verb, int c)
{
	int i;

	for (i = 0; verb && verb->options && verb->options[i].name; i++)
		if (verb->options[i].letter == c)
			return ANSWER_OWN + i;
	for (i = 0; i < (int)ARRAY_SIZE(common); i++)
		if (common[i].option.letter == c)
			return ANSWER_COMMON + i;
	return c;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void set_own(const struct verb *verb, int i, struct command_line *line)
{
	line->ctl.option[i] = optarg ? optarg : "";
	for (size_t look = 0; look < ARRAY_SIZE(verb->looks); look++)
		if (verb->looks[look] && strcmp(verb->looks[look], verb->options[i].name) == 0)
			line->ctl.dry_run = true;
}

static void set_common(const struct common_option *row, struct command_line *line)
{
	void *field = (char *)line + row->field;

	if (row->option.value)
		*(const char **)field = optarg;
	else
		*(bool *)field = true;
}

const char *options_empty(const struct command_line *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(common); i++) {
		const char *const *field = (const void *)((const char *)line + common[i].field);

		if (common[i].option.value && *field && !**field)
			return common[i].option.name;
	}
	return NULL;
}

/* "-12": a dump counted from the end. getopt would take it for options. */
static bool is_counted(const char *word)
{
	return word[0] == '-' && word[1] && strspn(word + 1, "0123456789") == strlen(word + 1);
}

/* The next option, an operand (1, in optarg), or -1 at the end of both. */
static int next_word(int argc, char **argv, const struct verb *verb, const struct syntax *syntax)
{
	int c;

	if (verb && (verb->flags & VERB_DUMP) && optind < argc && is_counted(argv[optind])) {
		optarg = argv[optind++];
		return 1;
	}
	c = getopt_long(argc, argv, syntax->letters, syntax->options, NULL);
	return c > 1 && c < ANSWER_COMMON ? resolve_letter(verb, c) : c;
}

int options_read(int argc, char **argv, const struct verb *verb, struct command_line *line)
{
	char *const given = argv[0];
	char program[128] = "kdump";
	struct syntax syntax;
	int c;

	make_syntax(verb, &syntax);
	if (verb)
		snprintf(program, sizeof(program), "kdump: %s", verb->name);
	argv[0] = program; /* with which getopt_long() begins its messages */
	optind = 0;
	getopt_long(1, argv, syntax.letters, syntax.options, NULL); /* begins again, with these letters */
	while (!line->help && !line->version && !line->wrong && (c = next_word(argc, argv, verb, &syntax)) != -1) {
		if (c == 1) /* never ahead of the word that was read */
			line->ctl.argument[line->ctl.argument_count++] = optarg;
		else if (c >= ANSWER_OWN)
			set_own(verb, c - ANSWER_OWN, line);
		else if (c >= ANSWER_COMMON)
			set_common(&common[c - ANSWER_COMMON], line);
		else
			line->wrong = true;
	}
	argv[0] = given;
	return optind;
}
