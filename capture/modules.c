/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/modules.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/decompress.h"
#include "base/io.h"
#include "capture/child.h"

#define MODULE_MAX  (64u << 20)
#define CMDLINE_MAX (64u << 10)

static bool has_suffix(const char *text, const char *suffix)
{
	size_t length = strlen(text), tail = strlen(suffix);

	return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

/* The length of the word at @text, which ends at a blank outside double quotes (Linux lib/cmdline.c, next_arg()). */
static size_t word_length(const char *text)
{
	bool quoted = false;
	size_t length;

	for (length = 0; text[length] && (quoted || !isspace((unsigned char)text[length])); length++)
		quoted ^= text[length] == '"';
	return length;
}

/* '-' and '_' are the same in the names of modules and of their parameters. */
static bool same_name(const char *a, const char *b, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i]))
			return false;
	return true;
}

/* The parameter that a word of the command line sets for the module @name; NULL: it is not about that module. */
static const char *parameter_of(const char *word, size_t length, const char *name, size_t name_length)
{
	if (length <= name_length + 1 || word[name_length] != '.' || !same_name(word, name, name_length))
		return NULL;
	return word + name_length + 1;
}

static bool is_parameter(const char *word, size_t length, const char *other, size_t other_length)
{
	size_t name = strcspn(word, "= "), other_name = strcspn(other, "= ");

	name = name < length ? name : length;
	other_name = other_name < other_length ? other_name : other_length;
	return name == other_name && same_name(word, other, name);
}

struct wanted {
	const char *name; /* of the module */
	size_t name_length;
	const char *cmdline;
};

/* Does the command line set the same parameter as the recorded @word? */
static bool is_overruled(const struct wanted *wanted, const char *option, size_t option_length)
{
	const char *word = wanted->cmdline;
	size_t length;

	for (; *word; word += length + (word[length] != '\0')) {
		const char *parameter;

		length = word_length(word);
		parameter = parameter_of(word, length, wanted->name, wanted->name_length);
		if (parameter && is_parameter(parameter, word + length - parameter, option, option_length))
			return true;
	}
	return false;
}

struct kd_error *module_options(const char *file, const char *options, const char *cmdline, char **ret)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file, *word;
	const struct wanted wanted = { name, strcspn(name, "."), cmdline };
	_cleanup_free_ char *text = NULL;
	size_t size, length;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return kd_error_nomem();
	for (word = options; *word; word += length + (word[length] != '\0')) {
		length = word_length(word);
		if (length && !is_overruled(&wanted, word, length))
			fprintf(out, "%s%.*s", ftell(out) ? " " : "", (int)length, word);
	}
	for (word = cmdline; *word; word += length + (word[length] != '\0')) {
		const char *parameter;

		length = word_length(word);
		parameter = parameter_of(word, length, wanted.name, wanted.name_length);
		if (parameter)
			fprintf(out, "%s%.*s", ftell(out) ? " " : "", (int)(word + length - parameter), parameter);
	}
	if (fclose(out) != 0)
		return kd_error_nomem();
	*ret = take_ptr(text);
	return NULL;
}

static struct kd_error *options_now(const struct kd_plan_module *module, char **ret)
{
	_cleanup_free_ char *cmdline = NULL;
	struct kd_error *err = kd_read_file("/proc/cmdline", CMDLINE_MAX, &cmdline, NULL);

	/* Better with what was recorded than not at all. */
	return module_options(module->file, module->options, kd_error_discard(err) ? "" : cmdline, ret);
}

static struct kd_error *insert(void *arg)
{
	const struct kd_plan_module *module = arg;
	_cleanup_free_ char *options = NULL;
	_cleanup_free_ char *file = NULL;
	_cleanup_free_ void *expanded = NULL;
	size_t size;
	struct kd_error *err = kd_read_file(module->file, MODULE_MAX, &file, &size);

	if (err)
		return err;
	if (has_suffix(module->file, ".gz")) {
		err = kd_decompress_gzip(file, size, MODULE_MAX, module->file, &expanded, &size);
		if (err)
			return err;
		free(take_ptr(file));
	}
	/* Before the insertion, when memory is tightest. */
	unlink(module->file);
	err = options_now(module, &options);
	if (err)
		return err;
	if (syscall(SYS_init_module, expanded ? expanded : file, size, options) < 0 && errno != EEXIST)
		return kd_error_os(errno, "cannot insert %s", module->file);
	return NULL;
}

struct kd_error *module_insert(const struct kd_plan_module *module, int64_t deadline)
{
	char name[256];
	struct child_job job = {
		.name = name, .run = insert, .arg = (void *)module, .deadline = deadline, .spared = true
	};

	snprintf(name, sizeof(name), "inserting %s", module->file);
	return child_run(&job, NULL);
}
