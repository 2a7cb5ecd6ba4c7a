/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/boot/grub_script.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "base/text.h"

enum {
	DEPTH_MAX = 32,
	WORDS_MAX = 1024,       /* of a command */
	WORD_SIZE_MAX = 65536,  /* with the values of variables in it, which could double again and again */
	COMMANDS_MAX = 1 << 18, /* of all files, which may include each other */
};

/* --- variables ---------------------------------------------------------------------------------------------------- */

static struct grub_variable *find_variable(const struct grub_variables *variables, const char *name, size_t length)
{
	for (size_t i = 0; i < variables->count; i++)
		if (strlen(variables->variable[i].name) == length &&
		    memcmp(variables->variable[i].name, name, length) == 0)
			return &variables->variable[i];
	return NULL;
}

const char *grub_variable_get(const struct grub_variables *variables, const char *name)
{
	const struct grub_variable *variable = find_variable(variables, name, strlen(name));

	return variable ? variable->value : "";
}

struct kd_error *grub_variable_set(struct grub_variables *variables, const char *name, const char *value)
{
	struct grub_variable *variable = find_variable(variables, name, strlen(name)), *grown;

	if (variable)
		return kd_set_text(&variable->value, value);
	grown = reallocarray(variables->variable, variables->count + 1, sizeof(*grown));
	if (!grown)
		return kd_error_nomem();
	variables->variable = grown;
	grown[variables->count] = (struct grub_variable){ .name = strdup(name), .value = strdup(value) };
	variables->count++;
	return grown[variables->count - 1].name && grown[variables->count - 1].value ? NULL : kd_error_nomem();
}

void grub_variables_free(struct grub_variables *variables)
{
	for (size_t i = 0; i < variables->count; i++) {
		free(variables->variable[i].name);
		free(variables->variable[i].value);
	}
	free(variables->variable);
	*variables = (struct grub_variables){ 0 };
}

struct kd_error *grub_environment_parse(const char *text, struct grub_variables *ret)
{
	_cleanup_free_ char *copy = strdup(text);
	char *cursor = copy, *line;
	struct kd_error *err = NULL;

	if (!copy)
		return kd_error_nomem();
	while (!err && (line = strsep(&cursor, "\n"))) {
		char *value = strchr(line, '='), *out, *in;

		if (*line == '#' || !value)
			continue;
		*value++ = '\0';
		/* A backslash protects a backslash and the end of the line. */
		for (in = out = value; *in; in++) {
			in += *in == '\\' && in[1];
			*out++ = *in;
		}
		*out = '\0';
		err = grub_variable_set(ret, line, value);
	}
	return err;
}

/* --- words -------------------------------------------------------------------------------------------------------- */

enum token {
	TOKEN_WORD,
	TOKEN_STOP, /* the end of a command: a newline or ';' */
	TOKEN_OPEN, /* '{' */
	TOKEN_CLOSE,
	TOKEN_END, /* of the text */
};

struct script {
	const char *at;   /* in the text */
	const char *name; /* of the file */
	unsigned int line;
	unsigned int depth;
	unsigned int commands;
	const struct grub_hooks *hooks;
	struct grub_variables *variables;
	struct boot_entries *entries;
	const struct boot_submenu *submenu; /* the menu that is being filled; NULL: the top one */
	size_t *items;                      /* in that menu */
	struct boot_entry *entry;           /* whose commands are run; NULL: none */
	bool status;                        /* of the last command */
};

static struct kd_error *malformed(const struct script *s, const char *what)
{
	return kd_error_create(KD_ERR_FORMAT, "%s:%u: %s", s->name, s->line, what);
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The variable behind a '$' at s->at; moves on behind it. */
static const char *take_variable(struct script *s)
{
	const struct grub_variable *variable;
	const char *name = ++s->at;
	size_t length;

	if (*name == '{') {
		name++;
		length = strcspn(name, "}\n");
		s->at = name + length + (name[length] == '}');
	} else if (is_name(*name)) {
		for (length = 1; is_name(name[length]);)
			length++;
		s->at = name + length;
	} else {
		/* "$?" and the arguments of functions */
		s->at += *name && !isspace((unsigned char)*name) && *name != '"';
		return "";
	}
	variable = find_variable(s->variables, name, length);
	return variable ? variable->value : "";
}

/* Copy one quoted or unquoted part of a word. *literal: it has more than variables. */
static struct kd_error *take_part(struct script *s, FILE *out, bool *literal)
{
	char quote = *s->at == '"' || *s->at == '\'' ? *s->at : '\0';

	if (quote) {
		s->at++;
		*literal = true;
	}
	while (*s->at && (quote ? *s->at != quote : !strchr(" \t\r\n;{}\"'", *s->at))) {
		if (*s->at == '$' && quote != '\'') {
			fputs(take_variable(s), out);
			if (ftell(out) > WORD_SIZE_MAX)
				return malformed(s, "a word is too long");
			continue;
		}
		s->at += *s->at == '\\' && quote != '\'' && s->at[1];
		s->line += *s->at == '\n';
		fputc(*s->at++, out);
		*literal = true;
	}
	if (quote && !*s->at)
		return malformed(s, "a quote is not closed");
	s->at += !!quote;
	return NULL;
}

/* A word that is nothing but variables which are not set is none: *ret stays NULL. */
static struct kd_error *take_word(struct script *s, char **ret)
{
	_cleanup_free_ char *word = NULL;
	struct kd_error *err = NULL;
	bool literal = false;
	size_t size;
	FILE *out = open_memstream(&word, &size);

	if (!out)
		return kd_error_nomem();
	while (!err && *s->at && !strchr(" \t\r\n;{}", *s->at))
		err = take_part(s, out, &literal);
	if (fclose(out) && !err)
		err = kd_error_nomem();
	if (!err && (*word || literal))
		*ret = take_ptr(word);
	return err;
}

/* *word is owned by the caller, and set for TOKEN_WORD alone. */
static struct kd_error *next_token(struct script *s, enum token *token, char **word)
{
	struct kd_error *err;

	for (;;) {
		if (s->at[0] == '\\' && s->at[1] == '\n') {
			s->at += 2;
			s->line++;
		} else if (*s->at == ' ' || *s->at == '\t' || *s->at == '\r') {
			s->at++;
		} else if (*s->at == '#') {
			s->at += strcspn(s->at, "\n");
		} else if (!*s->at) {
			*token = TOKEN_END;
			return NULL;
		} else if (strchr("\n;{}", *s->at)) {
			*token = *s->at == '{' ? TOKEN_OPEN : *s->at == '}' ? TOKEN_CLOSE : TOKEN_STOP;
			s->line += *s->at++ == '\n';
			return NULL;
		} else {
			*token = TOKEN_WORD;
			err = take_word(s, word);
			if (err || *word)
				return err;
		}
	}
}

/* A command's words. */
struct words {
	char *word[WORDS_MAX + 1]; /* NULL-terminated */
	size_t count;
};

static void words_free_cleanup(struct words **words)
{
	for (size_t i = 0; *words && i < (*words)->count; i++)
		free((*words)->word[i]);
	free(*words);
}

/* Take words up to what ends the command: *end. */
static struct kd_error *take_words(struct script *s, struct words *words, enum token *end)
{
	struct kd_error *err;

	for (;;) {
		char *word = NULL;

		err = next_token(s, end, &word);
		if (err || *end != TOKEN_WORD)
			return err;
		if (words->count == WORDS_MAX) {
			free(word);
			return malformed(s, "a command has too many words");
		}
		words->word[words->count++] = word;
		/* "then" and its like end what is before them by a stop, and begin a command themselves. */
		if (words->count == 1 &&
		    (strcmp(word, "then") == 0 || strcmp(word, "else") == 0 || strcmp(word, "do") == 0 ||
		     strcmp(word, "if") == 0 || strcmp(word, "elif") == 0 || strcmp(word, "while") == 0 ||
		     strcmp(word, "until") == 0))
			return NULL;
	}
}

/* --- conditions --------------------------------------------------------------------------------------------------- */

static bool test_file(const struct script *s, const char *path, bool filled)
{
	return s->hooks->has_file(s->hooks->arg, path, filled);
}

/* One test at *at, which is moved behind it. */
static bool test_one(const struct script *s, char *const **at)
{
	char *const *word = *at;
	bool unary = word[0] && word[0][0] == '-' && word[0][1] && !word[0][2] && word[1];

	if (!word[0])
		return false;
	if (strcmp(word[0], "!") == 0 && word[1]) {
		*at = word + 1;
		return !test_one(s, at);
	}
	if (word[1] && word[2] && (strcmp(word[1], "=") == 0 || strcmp(word[1], "==") == 0)) {
		*at = word + 3;
		return strcmp(word[0], word[2]) == 0;
	}
	if (word[1] && word[2] && strcmp(word[1], "!=") == 0) {
		*at = word + 3;
		return strcmp(word[0], word[2]) != 0;
	}
	*at = word + (unary ? 2 : 1);
	if (!unary)
		return *word[0] != '\0';
	switch (word[0][1]) {
	case 'n':
		return *word[1] != '\0';
	case 'z':
		return !*word[1];
	case 'e':
	case 'f':
	case 'd':
		return test_file(s, word[1], false);
	case 's':
		return test_file(s, word[1], true);
	default:
		return false;
	}
}

static bool test_all(const struct script *s, char *const *word)
{
	bool result = test_one(s, &word);

	while (*word && word[1]) {
		bool is_or = strcmp(*word, "-o") == 0;

		if (!is_or && strcmp(*word, "-a") != 0)
			return false; /* a comparison that no menu depends on */
		word++;
		if (test_one(s, &word))
			result |= is_or;
		else
			result &= is_or;
	}
	return result;
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static struct kd_error *run_set(struct script *s, const struct words *words)
{
	struct kd_error *err = NULL;

	for (size_t i = 1; i < words->count && !err; i++) {
		_cleanup_free_ char *name = strdup(words->word[i]);
		char *value = name ? strchr(name, '=') : NULL;

		if (!name)
			return kd_error_nomem();
		if (value) {
			*value++ = '\0';
			err = grub_variable_set(s->variables, name, value);
		}
	}
	return err;
}

static struct kd_error *run_unset(struct script *s, const struct words *words)
{
	return words->count > 1 ? grub_variable_set(s->variables, words->word[1], "") : NULL;
}

static struct kd_error *run_test(struct script *s, const struct words *words)
{
	size_t last = words->count - 1;
	char *word[WORDS_MAX + 1];
	size_t count = 0;

	for (size_t i = 1; i <= last; i++)
		if (i < last || strcmp(words->word[0], "[") != 0 || strcmp(words->word[i], "]") != 0)
			word[count++] = words->word[i];
	word[count] = NULL;
	s->status = test_all(s, word);
	return NULL;
}

static struct kd_error *run_false(struct script *s, const struct words *words)
{
	s->status = false;
	return NULL;
}

static struct kd_error *run_load_env(struct script *s, const struct words *words)
{
	return s->hooks->load_environment(s->hooks->arg, s->variables);
}

static struct kd_error *run_blscfg(struct script *s, const struct words *words)
{
	size_t first = s->entries->count;
	struct kd_error *err;

	if (s->entry)
		return NULL;
	err = s->hooks->add_entries(s->hooks->arg, s->variables, s->entries);

	for (size_t i = first; i < s->entries->count; i++) {
		s->entries->entry[i].submenu = s->submenu;
		s->entries->entry[i].index = (*s->items)++;
	}
	return err;
}

static struct kd_error *run_linux(struct script *s, const struct words *words)
{
	_cleanup_free_ char *options = NULL;
	struct kd_error *err;
	size_t size;
	FILE *out;

	if (!s->entry || words->count < 2)
		return NULL;
	out = open_memstream(&options, &size);
	if (!out)
		return kd_error_nomem();
	for (size_t i = 2; i < words->count; i++)
		fprintf(out, "%s%s", i > 2 ? " " : "", words->word[i]);
	if (fclose(out))
		return kd_error_nomem();
	err = kd_set_text(&s->entry->kernel, words->word[1]);
	return err ? err : kd_set_text(&s->entry->options, options);
}

static struct kd_error *run_initrd(struct script *s, const struct words *words)
{
	struct kd_error *err = NULL;

	for (size_t i = 1; s->entry && i < words->count && !err; i++)
		if (*words->word[i] != '-')
			err = boot_entry_add_initrd(s->entry, words->word[i]);
	return err;
}

/* "search --fs-uuid --set=root UUID": the files that follow are there. */
static struct kd_error *run_search(struct script *s, const struct words *words)
{
	bool by_uuid = false;

	for (size_t i = 1; i < words->count; i++)
		by_uuid = by_uuid || strcmp(words->word[i], "--fs-uuid") == 0 || strcmp(words->word[i], "-u") == 0;
	if (!s->entry || !by_uuid || *words->word[words->count - 1] == '-')
		return NULL;
	return kd_set_text(&s->entry->uuid, words->word[words->count - 1]);
}

static struct kd_error *run_list(struct script *s, bool execute, const char **ended);

/* Another file's commands, as if they stood here. */
static struct kd_error *run_source(struct script *s, const struct words *words)
{
	_cleanup_free_ char *text = NULL;
	struct script outer = *s;
	const char *ended = "";
	struct kd_error *err;

	if (s->entry || words->count < 2)
		return NULL;
	err = s->hooks->read_file(s->hooks->arg, words->word[1], &text);
	if (err || !text)
		return err;
	s->at = text;
	s->name = words->word[1];
	s->line = 1;
	err = run_list(s, true, &ended);
	if (!err && *ended)
		err = malformed(s, "something is closed that was not opened");
	s->at = outer.at;
	s->name = outer.name;
	s->line = outer.line;
	return err;
}

/* clang-format off */
static const struct command {
	const char *name;
	struct kd_error *(*run)(struct script *s, const struct words *words);
} commands[] = {
	{ "set", run_set }, { "unset", run_unset },
	{ "[", run_test }, { "test", run_test }, { "false", run_false },
	{ "load_env", run_load_env }, { "source", run_source }, { ".", run_source },
	{ "blscfg", run_blscfg }, { "search", run_search },
	{ "linux", run_linux }, { "linux16", run_linux }, { "linuxefi", run_linux },
	{ "initrd", run_initrd }, { "initrd16", run_initrd }, { "initrdefi", run_initrd },
};
/* clang-format on */

/* "NAME=value" alone is an assignment, too. */
static bool is_assignment(const char *word)
{
	size_t length = 0;

	while (is_name(word[length]))
		length++;
	return length && word[length] == '=';
}

static struct kd_error *run_command(struct script *s, struct words *words)
{
	bool negate = words->count > 1 && strcmp(words->word[0], "!") == 0;
	struct words shifted = *words; /* borrows the words */
	struct kd_error *err = NULL;
	size_t i;

	s->status = true;
	if (negate) {
		memmove(shifted.word, shifted.word + 1, words->count * sizeof(shifted.word[0]));
		shifted.count--;
	}
	if (is_assignment(shifted.word[0])) {
		_cleanup_free_ char *name = strdup(shifted.word[0]);

		if (!name)
			return kd_error_nomem();
		name[strcspn(name, "=")] = '\0';
		return grub_variable_set(s->variables, name, strchr(shifted.word[0], '=') + 1);
	}
	for (i = 0; i < ARRAY_SIZE(commands) && strcmp(commands[i].name, shifted.word[0]) != 0;)
		i++;
	if (i < ARRAY_SIZE(commands))
		err = commands[i].run(s, &shifted);
	s->status ^= negate;
	return err;
}

/* --- menus -------------------------------------------------------------------------------------------------------- */

/* The title, and the words of "--id" or of the variable that stands for it. */
static void menu_words(const struct words *words, const char **id, const char **title)
{
	*id = *title = "";
	for (size_t i = 1; i < words->count; i++) {
		const char *word = words->word[i];

		if (strcmp(word, "--id") == 0 && i + 1 < words->count)
			*id = words->word[++i];
		else if (kd_starts_with(word, "--id="))
			*id = word + strlen("--id=");
		else if (kd_starts_with(word, "--") && i + 1 < words->count &&
			 (strcmp(word, "--class") == 0 || strcmp(word, "--users") == 0 ||
			  strcmp(word, "--hotkey") == 0 || strcmp(word, "--source") == 0))
			i++;
		else if (*word != '-' && !**title)
			*title = word;
	}
}

static struct kd_error *add_submenu(struct script *s, const struct words *words, struct boot_submenu **ret)
{
	struct boot_entries *entries = s->entries;
	struct boot_submenu **grown = reallocarray(entries->submenu, entries->submenus + 1, sizeof(*grown)), *submenu;
	const char *id, *title;

	if (!grown)
		return kd_error_nomem();
	entries->submenu = grown;
	submenu = calloc(1, sizeof(*submenu));
	if (!submenu)
		return kd_error_nomem();
	grown[entries->submenus++] = submenu;
	menu_words(words, &id, &title);
	submenu->parent = s->submenu;
	submenu->index = (*s->items)++;
	submenu->id = strdup(id);
	submenu->title = strdup(title);
	*ret = submenu;
	return submenu->id && submenu->title ? NULL : kd_error_nomem();
}

static struct kd_error *run_block(struct script *s, bool execute);

static struct kd_error *run_submenu(struct script *s, const struct words *words)
{
	const struct boot_submenu *outer = s->submenu;
	size_t *outer_items = s->items, items = 0;
	struct boot_submenu *submenu = NULL;
	struct kd_error *err = add_submenu(s, words, &submenu);

	if (err)
		return err;
	s->submenu = submenu;
	s->items = &items;
	err = run_block(s, true);
	s->submenu = outer;
	s->items = outer_items;
	return err;
}

/* What an entry sets is forgotten behind it: GRUB runs only the one that is chosen. */
static struct kd_error *run_menuentry(struct script *s, const struct words *words)
{
	struct boot_entry *entry = NULL;
	const char *id, *title;
	struct kd_error *err = boot_entries_add(s->entries, &entry);

	if (err)
		return err;
	menu_words(words, &id, &title);
	entry->submenu = s->submenu;
	entry->index = (*s->items)++;
	err = kd_set_text(&entry->id, id);
	if (!err)
		err = kd_set_text(&entry->title, title);
	s->entry = entry;
	if (!err)
		err = run_block(s, true);
	s->entry = NULL;
	return err;
}

/* --- lists of commands -------------------------------------------------------------------------------------------- */

/* What ends a list of commands: one of these words, "}" or "" for the end of the text. */
static const char *const closing_words[] = { "then", "elif", "else", "fi", "do", "done" };

static struct kd_error *run_block(struct script *s, bool execute)
{
	const char *ended = "";
	struct kd_error *err = run_list(s, execute, &ended);

	return err || *ended == '}' ? err : malformed(s, "a block is not closed");
}

static struct kd_error *run_until(struct script *s, bool execute, const char *word)
{
	const char *ended = "";
	struct kd_error *err = run_list(s, execute, &ended);

	return err || strcmp(ended, word) == 0 ? err : malformed(s, "a condition or a loop is not closed");
}

/* Behind "if". */
static struct kd_error *run_if(struct script *s, bool execute)
{
	const char *ended = "elif";
	bool done = !execute;
	struct kd_error *err = NULL;

	while (!err && strcmp(ended, "elif") == 0) {
		bool take;

		s->status = false;
		err = run_until(s, !done, "then");
		take = !done && s->status;
		if (!err)
			err = run_list(s, take, &ended);
		done |= take;
	}
	if (!err && strcmp(ended, "else") == 0)
		err = run_list(s, !done, &ended);
	return err || strcmp(ended, "fi") == 0 ? err : malformed(s, "a condition is not closed");
}

/* A word that opens something, with what is in it. *taken: it was one. */
static struct kd_error *run_construct(struct script *s, bool execute, const struct words *words, enum token end,
				      bool *taken)
{
	const char *word = words->word[0];
	struct kd_error *err;

	*taken = true;
	if (strcmp(word, "if") == 0)
		return run_if(s, execute);
	if (strcmp(word, "while") == 0 || strcmp(word, "until") == 0 || strcmp(word, "for") == 0) {
		err = run_until(s, false, "do");
		return err ? err : run_until(s, false, "done");
	}
	if (end == TOKEN_OPEN && execute && !s->entry && strcmp(word, "menuentry") == 0)
		return run_menuentry(s, words);
	if (end == TOKEN_OPEN && execute && !s->entry && strcmp(word, "submenu") == 0)
		return run_submenu(s, words);
	/* The bodies of functions, and blocks of commands that are not known. */
	if (end == TOKEN_OPEN)
		return run_block(s, false);
	*taken = false;
	return NULL;
}

/* One command. *ended is set if it ends the list. */
static struct kd_error *run_next(struct script *s, bool execute, const char **ended)
{
	__attribute__((cleanup(words_free_cleanup))) struct words *words = calloc(1, sizeof(*words));
	enum token end = TOKEN_END;
	struct kd_error *err = words ? take_words(s, words, &end) : kd_error_nomem();
	bool taken;

	if (err)
		return err;
	if (++s->commands > COMMANDS_MAX)
		return kd_error_create(KD_ERR_LIMIT, "%s:%u: more than %d commands", s->name, s->line, COMMANDS_MAX);
	if (!words->count) {
		if (end == TOKEN_OPEN)
			return run_block(s, execute);
		*ended = end == TOKEN_CLOSE ? "}" : end == TOKEN_END ? "" : NULL;
		return NULL;
	}
	/* The bracket belongs to the block, not to this command. */
	s->at -= end == TOKEN_CLOSE;
	for (size_t i = 0; i < ARRAY_SIZE(closing_words); i++)
		if (strcmp(words->word[0], closing_words[i]) == 0) {
			*ended = closing_words[i];
			return NULL;
		}
	err = run_construct(s, execute, words, end, &taken);
	if (!err && !taken && execute)
		err = run_command(s, words);
	return err;
}

static struct kd_error *run_list(struct script *s, bool execute, const char **ended)
{
	struct kd_error *err = NULL;

	if (s->depth == DEPTH_MAX)
		return kd_error_create(KD_ERR_LIMIT, "%s:%u: blocks are nested more than %d times", s->name, s->line,
				       DEPTH_MAX);
	s->depth++;
	*ended = NULL;
	while (!err && !*ended)
		err = run_next(s, execute, ended);
	s->depth--;
	return err;
}

struct kd_error *grub_script_run(const char *text, const char *name, const struct grub_hooks *hooks,
				 struct grub_variables *variables, struct boot_entries *entries)
{
	size_t items = 0;
	struct script s = {
		.at = text,
		.name = name,
		.line = 1,
		.hooks = hooks,
		.variables = variables,
		.entries = entries,
		.items = &items,
	};
	const char *ended = NULL;
	struct kd_error *err = run_list(&s, true, &ended);

	return err || !*ended ? err : malformed(&s, "something is closed that was not opened");
}
