/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A reader of the shell's language that knows words, quotes and where a command begins, and nothing of what they mean
 * (POSIX, "Shell Command Language"; bash's additions as far as they move that place). */
#include "kdump/arming/hook_commands.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"

#define WORD_MAX  256
#define DEPTH_MAX 32 /* of $(…) within each other */
#define HERE_MAX  4  /* <<WORD on one line */

static const char *const builtins[] = {
	".",       ":",        "[",       "alias",   "bg",     "break", "builtin", "caller", "cd",        "command",
	"compgen", "continue", "declare", "dirs",    "disown", "echo",  "enable",  "eval",   "exec",      "exit",
	"export",  "false",    "fg",      "getopts", "hash",   "help",  "history", "jobs",   "kill",      "let",
	"local",   "logout",   "mapfile", "popd",    "printf", "pushd", "pwd",     "read",   "readarray", "readonly",
	"return",  "set",      "shift",   "shopt",   "source", "test",  "times",   "trap",   "true",      "type",
	"typeset", "ulimit",   "umask",   "unalias", "unset",  "wait",
};

/* A command follows. */
static const char *const before_command[] = { "if", "then", "elif", "else", "do", "while", "until", "!", "{", "time" };

/* They end a compound command; no command follows. */
static const char *const after_command[] = { "fi", "done", "}", "]]", "in" };

/* Programs and builtins that run the command behind them, if no option stands between. */
static const char *const runs_command[] = { "builtin", "command", "env", "exec", "nice", "nohup", "setsid", "xargs" };

enum header {
	HEADER_NONE,
	HEADER_FOR,      /* for, select: up to the end of the line or ';' */
	HEADER_CASE,     /* up to "in" */
	HEADER_FUNCTION, /* the next word is a function's name */
	HEADER_FILE,     /* the next word is a file to read */
	HEADER_TEST,     /* [[: up to "]]" */
};

struct scanner {
	const char *at;
	unsigned int depth;
	struct hook_commands found, functions;
	bool no_memory;
	char *here[HERE_MAX]; /* what ends the texts that begin on the next line */
	size_t here_count;
};

/* A word as far as it is read. */
struct word {
	char text[WORD_MAX];
	size_t length;
	bool some;       /* there is one, if only "" */
	bool literal;    /* no part of it is known only at run time */
	bool assignment; /* NAME=… */
};

/* Of one list of commands. */
struct place {
	bool command;        /* the next word is one */
	bool skip;           /* the next word belongs to a redirection */
	bool pattern;        /* of case */
	char name[WORD_MAX]; /* the last word, if it was a command: "()" makes it a function's name; or "" */
	enum header header;
	unsigned int cases, parentheses;
};

static void scan(struct scanner *s, char end);

/* --- lists -------------------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

static void add(struct scanner *s, struct hook_commands *list, const char *word)
{
	char **grown, *copy;

	if (is_one_of(word, (const char *const *)list->word, list->count))
		return;
	grown = reallocarray(list->word, list->count + 1, sizeof(*grown));
	copy = strdup(word);
	if (grown)
		list->word = grown;
	if (grown && copy) {
		list->word[list->count++] = copy;
	} else {
		s->no_memory = true;
		free(copy);
	}
}

/* A name that a program can have; "./x" is below a directory that the image does not have. */
static bool is_command(const char *word)
{
	const char *p;

	for (p = word; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("/._+-", *p))
			return false;
	return isalnum((unsigned char)*word) || (*word == '/' && word[1]) || (*word == '_' && !strchr(word, '/'));
}

/* --- words -------------------------------------------------------------------------------------------------------- */

static void put(struct word *word, char c)
{
	word->some = true;
	if (word->length + 1 < sizeof(word->text))
		word->text[word->length++] = c;
	else
		word->literal = false;
	word->text[word->length] = '\0';
}

/* Skip what stands between @open and @close, each of which may be inside; s->at is behind the first one. */
static void skip_nested(struct scanner *s, char open, char close)
{
	unsigned int depth = 1;
	char quote = '\0';

	for (; *s->at && depth; s->at++) {
		if (*s->at == '\\' && s->at[1] && quote != '\'')
			s->at++;
		else if (quote)
			quote = *s->at == quote ? '\0' : quote;
		else if (*s->at == '"' || *s->at == '\'')
			quote = *s->at;
		else if (*s->at == open)
			depth++;
		else if (*s->at == close)
			depth--;
	}
}

/* $… and `…`: commands within are found, the value is not known. */
static void take_expansion(struct scanner *s, struct word *word)
{
	char first = *s->at++;

	word->some = true;
	word->literal = false;
	if (first == '`') {
		scan(s, '`');
	} else if (*s->at == '{') {
		s->at++;
		skip_nested(s, '{', '}');
	} else if (*s->at == '(' && s->at[1] == '(') {
		s->at++;
		skip_nested(s, '(', ')');
	} else if (*s->at == '(') {
		s->at++;
		scan(s, ')');
	}
}

static void take_double_quotes(struct scanner *s, struct word *word)
{
	word->some = true;
	while (*s->at && *s->at != '"') {
		if (*s->at == '$' || *s->at == '`') {
			take_expansion(s, word);
			continue;
		}
		if (*s->at == '\\' && s->at[1])
			s->at++;
		put(word, *s->at++);
	}
	s->at += *s->at == '"';
}

static void take_single_quotes(struct scanner *s, struct word *word)
{
	word->some = true;
	while (*s->at && *s->at != '\'')
		put(word, *s->at++);
	s->at += *s->at == '\'';
}

/* NAME, NAME[index] or NAME+, before a '='. */
static bool names_variable(const struct word *word)
{
	size_t i = 0;

	while (i < word->length && (isalnum((unsigned char)word->text[i]) || word->text[i] == '_'))
		i++;
	return i && !isdigit((unsigned char)word->text[0]) &&
	       (i == word->length || word->text[i] == '[' || (word->text[i] == '+' && i + 1 == word->length));
}

/* Read on to the end of a word, which may be empty. */
static void take_word(struct scanner *s, struct word *word, char end)
{
	*word = (struct word){ .literal = true };
	while (*s->at && !strchr(" \t\n;&|<>()", *s->at) && !(end == '`' && *s->at == end)) {
		char c = *s->at;

		if (c == '$' || c == '`') {
			take_expansion(s, word);
			continue;
		}
		s->at++;
		if (c == '"') {
			take_double_quotes(s, word);
		} else if (c == '\'') {
			take_single_quotes(s, word);
		} else if (c == '\\') {
			if (*s->at && *s->at != '\n')
				put(word, *s->at);
			s->at += *s->at != '\0';
		} else {
			word->assignment |= c == '=' && names_variable(word);
			put(word, c);
			if (c == '=' && word->assignment && *s->at == '(') { /* an array */
				s->at++;
				skip_nested(s, '(', ')');
			}
		}
	}
}

/* --- what a word is ----------------------------------------------------------------------------------------------- */

static void take_command(struct scanner *s, struct place *place, const char *word)
{
	place->command = is_one_of(word, before_command, ARRAY_SIZE(before_command)) ||
			 is_one_of(word, runs_command, ARRAY_SIZE(runs_command));
	if (strcmp(word, "case") == 0) {
		place->header = HEADER_CASE;
		place->cases++;
	} else if (strcmp(word, "esac") == 0) {
		place->cases -= place->cases > 0;
	} else if (strcmp(word, "for") == 0 || strcmp(word, "select") == 0) {
		place->header = HEADER_FOR;
	} else if (strcmp(word, "function") == 0) {
		place->header = HEADER_FUNCTION;
	} else if (strcmp(word, "[[") == 0) {
		place->header = HEADER_TEST;
	} else if (strcmp(word, ".") == 0 || strcmp(word, "source") == 0) {
		place->header = HEADER_FILE;
	} else if (is_command(word) && !is_one_of(word, before_command, ARRAY_SIZE(before_command)) &&
		   !is_one_of(word, after_command, ARRAY_SIZE(after_command)) &&
		   !is_one_of(word, builtins, ARRAY_SIZE(builtins))) {
		add(s, &s->found, word);
		strcpy(place->name, word); /* words have that size */
	}
}

/* A word within the head of a compound command. */
static void take_header(struct scanner *s, struct place *place, const struct word *word)
{
	const char *text = word->literal ? word->text : "";
	enum header header = place->header;

	if (header == HEADER_TEST && strcmp(text, "]]") != 0)
		return;
	if (header == HEADER_CASE && strcmp(text, "in") != 0)
		return;
	if (header == HEADER_FOR)
		return;
	place->header = HEADER_NONE;
	place->pattern = header == HEADER_CASE;
	place->command = header == HEADER_FUNCTION;
	if (header == HEADER_FUNCTION)
		add(s, &s->functions, text);
	if (header == HEADER_FILE && *text == '/')
		add(s, &s->found, text);
}

static void end_word(struct scanner *s, struct place *place, const struct word *word)
{
	place->name[0] = '\0';
	if (place->skip) {
		place->skip = false;
	} else if (place->pattern) {
		if (strcmp(word->text, "esac") == 0) {
			place->pattern = false;
			place->cases -= place->cases > 0;
			place->command = false;
		}
	} else if (place->header) {
		take_header(s, place, word);
	} else if (place->command && !word->assignment) {
		place->command = false;
		if (word->literal)
			take_command(s, place, word->text);
	}
}

/* --- what stands between words ------------------------------------------------------------------------------------ */

/* Skip the texts that the last line has announced with <<WORD. */
static void skip_here(struct scanner *s)
{
	size_t i;

	for (i = 0; i < s->here_count; i++) {
		size_t length = strlen(s->here[i]);
		bool over = false;

		while (*s->at && !over) {
			const char *line = s->at + strspn(s->at, "\t");

			over = strncmp(line, s->here[i], length) == 0 && (line[length] == '\n' || !line[length]);
			s->at += strcspn(s->at, "\n");
			s->at += *s->at == '\n';
		}
		free(s->here[i]);
	}
	s->here_count = 0;
}

static void take_here(struct scanner *s, char end)
{
	struct word word;

	s->at += *s->at == '-';
	s->at += strspn(s->at, " \t");
	take_word(s, &word, end);
	if (s->here_count == HERE_MAX)
		return;
	s->here[s->here_count] = strdup(word.text);
	if (s->here[s->here_count])
		s->here_count++;
	else
		s->no_memory = true;
}

/* '<' or '>'; a number before it is not a command. */
static void take_redirection(struct scanner *s, struct place *place, char end)
{
	char first = *s->at++;

	if (*s->at == '(') {
		s->at++;
		scan(s, ')');
	} else if (first == '<' && *s->at == '<' && s->at[1] != '<') {
		s->at++;
		take_here(s, end);
	} else {
		s->at += strspn(s->at, "<>&|");
		place->skip = true;
	}
}

static void take_separator(struct scanner *s, struct place *place)
{
	char c = *s->at++;

	if (place->header == HEADER_TEST)
		return;
	if (c == ';' && (*s->at == ';' || *s->at == '&') && place->cases) {
		s->at += strspn(s->at, ";&");
		place->pattern = true;
		return;
	}
	if (place->pattern || place->header == HEADER_CASE)
		return;
	place->header = HEADER_NONE;
	place->skip = false;
	place->command = true;
}

/* Returns true at the end of a list that began with '('. */
static bool take_parenthesis(struct scanner *s, struct place *place, char end)
{
	bool open = *s->at++ == '(';
	char name[WORD_MAX];

	strcpy(name, place->name);
	place->name[0] = '\0';
	if (place->header == HEADER_TEST || (open && place->pattern))
		return false;
	if (open && *name && s->at[strspn(s->at, " \t")] == ')') {
		s->at += strspn(s->at, " \t") + 1;
		add(s, &s->functions, name);
		place->command = true;
	} else if (open && *s->at == '(') {
		skip_nested(s, '(', ')'); /* ((…)): arithmetic */
		place->command = false;
	} else if (open) {
		place->parentheses++;
		place->command = true;
	} else if (place->pattern) {
		place->pattern = false;
		place->command = true;
	} else if (place->parentheses) {
		place->parentheses--;
		place->command = false;
	} else {
		return end == ')';
	}
	return false;
}

/* Scan a list of commands up to @end, which is skipped; NUL: to the end of the text. */
static void scan(struct scanner *s, char end)
{
	struct place place = { .command = true };
	struct word word;

	if (++s->depth > DEPTH_MAX)
		s->at += strlen(s->at);
	while (*s->at) {
		char c = *s->at;

		if (c == end && end == '`') {
			s->at++;
			break;
		}
		if (c == ' ' || c == '\t') {
			s->at++;
		} else if (c == '#') {
			s->at += strcspn(s->at, "\n");
		} else if (c == '<' || c == '>' || (c == '&' && s->at[1] == '>')) {
			s->at += c == '&';
			take_redirection(s, &place, end);
		} else if (c == '(' || c == ')') {
			if (take_parenthesis(s, &place, end))
				break;
		} else if (strchr("\n;&|", c)) {
			take_separator(s, &place);
			if (c == '\n')
				skip_here(s);
		} else {
			take_word(s, &word, end);
			if (word.some &&
			    !((*s->at == '<' || *s->at == '>') && strspn(word.text, "0123456789") == word.length))
				end_word(s, &place, &word);
		}
	}
	s->depth--;
}

/* --- the call ----------------------------------------------------------------------------------------------------- */

/* A function may be called before the place where it is defined. */
static void drop_functions(struct scanner *s)
{
	size_t i, kept = 0;

	for (i = 0; i < s->found.count; i++) {
		if (is_one_of(s->found.word[i], (const char *const *)s->functions.word, s->functions.count))
			free(s->found.word[i]);
		else
			s->found.word[kept++] = s->found.word[i];
	}
	s->found.count = kept;
}

struct kd_error *hook_commands_find(const char *text, struct hook_commands *ret)
{
	struct scanner s = { .at = text };

	scan(&s, '\0');
	skip_here(&s);
	drop_functions(&s);
	hook_commands_free(&s.functions);
	if (s.no_memory) {
		hook_commands_free(&s.found);
		return kd_error_nomem();
	}
	*ret = s.found;
	return NULL;
}

void hook_commands_free(struct hook_commands *commands)
{
	size_t i;

	for (i = 0; i < commands->count; i++)
		free(commands->word[i]);
	free(commands->word);
	*commands = (struct hook_commands){ 0 };
}
