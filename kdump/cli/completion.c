/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl _completion bash|zsh|fish: shell completions, made from the table of verbs when kdump is built. */
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "kdump/cli/completion.h"
#include "kdump/cli/options.h"
#include "kdump/cli/verb_table.h"

/* @text between single quotes, for a shell. */
static void put_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
	putchar('\'');
}

/* The names of the dumps, for a shell's command substitution. */
#define DUMPS "kdumpctl list --json 2>/dev/null | sed -n 's/^ *\"name\": \"\\([^\"]*\\)\",$/\\1/p'"

/* --- bash --------------------------------------------------------------------------------------------------------- */

static void bash_option(const struct verb *verb, const struct verb_option *option)
{
	printf(" --%s%s", option->name, option->value ? "=" : "");
}

static void print_bash(void)
{
	size_t i;

	puts("# bash completion for kdumpctl(8)\n_kdumpctl()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} verb= word words dumps= files=\n\tCOMPREPLY=()\n"
	     "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n\t\t[[ $word != -* ]] && verb=$word && break\n\tdone\n\tcase $verb in");
	printf("\t'') words='");
	for (i = 0; i < kdumpctl_verb_count; i++)
		if (verb_is_shown(&kdumpctl_verbs[i]))
			printf("%s ", kdumpctl_verbs[i].name);
	puts("--help --version --config= --sysroot=' ;;");
	for (i = 0; i < kdumpctl_verb_count; i++) {
		if (!verb_is_shown(&kdumpctl_verbs[i]))
			continue;
		printf("\t%s) words='", kdumpctl_verbs[i].name);
		options_each(&kdumpctl_verbs[i], bash_option);
		printf("'%s%s ;;\n", kdumpctl_verbs[i].flags & VERB_DUMP ? " dumps=1" : "",
		       kdumpctl_verbs[i].flags & VERB_FILE ? " files=1" : "");
	}
	puts("\tesac\n\tif [[ $dumps && $cur != -* ]]; then\n\t\tlocal IFS=$'\\n'\n\t\twords=$(" DUMPS ")\n\tfi\n"
	     "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	     "\tif [[ $files && $cur != -* && ! ${COMPREPLY-} ]]; then # no dump of this machine: one from elsewhere\n"
	     "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n\t\tcompopt -o filenames\n\t\treturn 0\n\tfi\n"
	     "\t[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n\t# Dumps have colons in their names, at which bash breaks words.\n"
	     "\t[[ $(type -t __ltrim_colon_completions) == function ]] && __ltrim_colon_completions \"$cur\"\n\treturn 0\n}\ncomplete -F _kdumpctl kdumpctl");
}

/* --- zsh ---------------------------------------------------------------------------------------------------------- */

/* In a specification "--name[text]:message:action" brackets and colons of the text have a meaning. */
static void zsh_text(const char *text)
{
	for (; *text; text++) {
		if (strchr("[]:\\", *text))
			putchar('\\');
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
}

static void zsh_option(const struct verb *verb, const struct verb_option *option)
{
	printf(" \\\n\t\t\t'--%s%s[", option->name, option->value ? "=" : "");
	zsh_text(option->help);
	putchar(']');
	if (option->value)
		printf(":%s:%s", option->value,
		       strcmp(option->value, "FILE") == 0 ? "_files" :
		       strcmp(option->value, "DIR") == 0  ? "_files -/" :
							    "");
	putchar('\'');
}

static void print_zsh(void)
{
	size_t i;

	puts("#compdef kdumpctl\n_kdumpctl_dumps() {\n\tlocal -a dumps\n\tdumps=(${(f)\"$(" DUMPS
	     ")\"})\n\tcompadd -a dumps\n}\n"
	     "_kdumpctl_paths() {\n\t_kdumpctl_dumps\n\t_files\n}\n"
	     "_kdumpctl() {\n\tlocal context state line curcontext=$curcontext\n\t_arguments -C '1:verb:->verb' '*::argument:->argument'\n"
	     "\tcase $state in\n\tverb)\n\t\tlocal -a verbs=(");
	for (i = 0; i < kdumpctl_verb_count; i++) {
		if (!verb_is_shown(&kdumpctl_verbs[i]))
			continue;
		printf("\t\t\t'%s:", kdumpctl_verbs[i].name);
		zsh_text(kdumpctl_verbs[i].help);
		puts("'");
	}
	puts("\t\t)\n\t\t_describe verb verbs\n\t\t;;\n\targument)\n\t\tcase $words[1] in");
	for (i = 0; i < kdumpctl_verb_count; i++) {
		if (!verb_is_shown(&kdumpctl_verbs[i]))
			continue;
		printf("\t\t%s) _arguments", kdumpctl_verbs[i].name);
		options_each(&kdumpctl_verbs[i], zsh_option);
		if (kdumpctl_verbs[i].flags & VERB_FILE)
			puts(" '*:dump:_kdumpctl_paths' ;;");
		else
			puts(kdumpctl_verbs[i].flags & VERB_DUMP ? " '*:dump:_kdumpctl_dumps' ;;" : " ;;");
	}
	puts("\t\tesac\n\t\t;;\n\tesac\n}\n_kdumpctl \"$@\"");
}

/* --- fish --------------------------------------------------------------------------------------------------------- */

static void fish_option(const struct verb *verb, const struct verb_option *option)
{
	printf("complete -c kdumpctl -n '__fish_seen_subcommand_from %s' -l %s", verb->name, option->name);
	if (option->letter)
		printf(" -s %c", option->letter);
	if (option->value)
		fputs(strcmp(option->value, "FILE") == 0 || strcmp(option->value, "DIR") == 0 ? " -r -F" : " -x",
		      stdout);
	fputs(" -d ", stdout);
	put_quoted(option->help);
	putchar('\n');
}

static void print_fish(void)
{
	size_t i;

	puts("# fish completion for kdumpctl(8)\ncomplete -c kdumpctl -f");
	for (i = 0; i < kdumpctl_verb_count; i++) {
		const struct verb *verb = &kdumpctl_verbs[i];

		if (!verb_is_shown(verb))
			continue;
		printf("complete -c kdumpctl -n __fish_use_subcommand -a %s -d ", verb->name);
		put_quoted(verb->help);
		putchar('\n');
		options_each(verb, fish_option);
		if (verb->flags & VERB_FILE)
			printf("complete -c kdumpctl -n '__fish_seen_subcommand_from %s' -F\n", verb->name);
		if (verb->flags & VERB_DUMP)
			printf("complete -c kdumpctl -n '__fish_seen_subcommand_from %s' -a \"("
			       "kdumpctl list --json 2>/dev/null | "
			       "string match -rg '^ *\\\"name\\\": \\\"([^\\\"]*)\\\"'"
			       ")\"\n",
			       verb->name);
	}
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

struct kd_error *completion_print(struct kdumpctl *ctl, int *status)
{
	static const struct {
		const char *shell;
		void (*print)(void);
	} shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shells); i++) {
		if (strcmp(ctl->argument[0], shells[i].shell) == 0) {
			shells[i].print();
			return NULL;
		}
	}
	return kd_error_create(KD_ERR_USAGE, "no completions for %s: use bash, zsh or fish", ctl->argument[0]);
}
