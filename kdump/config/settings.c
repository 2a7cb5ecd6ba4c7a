/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/config/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/text.h"
#include "kdump/config/config_text.h"
#include "kdump/loader/ignored_options.h"

const char *const settings_files[SETTINGS_FILES] = {
	KD_SYSCONFDIR "/sysconfig/kdump",
	KD_SYSCONFDIR "/default/kdump",
};

#define IGNORED SIZE_MAX

static const struct {
	const char *key;
	size_t offset; /* of the char * in struct settings */
} keys[] = {
	{ "KDUMP_KERNELVER", offsetof(struct settings, kernel_version) },
	{ "KDUMP_COMMANDLINE", offsetof(struct settings, commandline) },
	{ "KDUMP_COMMANDLINE_REMOVE", offsetof(struct settings, commandline_remove) },
	{ "KDUMP_COMMANDLINE_APPEND", offsetof(struct settings, commandline_append) },
	{ "KDUMP_BOOTDIR", offsetof(struct settings, boot_dir) },
	{ "KDUMP_IMG", offsetof(struct settings, image) },
	{ "KDUMP_IMG_EXT", offsetof(struct settings, image_ext) },
	{ "KEXEC_ARGS", offsetof(struct settings, kexec_args) },
	{ "KDUMP_METRICS_FILE", offsetof(struct settings, metrics_file) },
	{ "VMCORE_CREATION_NOTIFICATION", offsetof(struct settings, creation_notification) },
	/* Red Hat's settings without a meaning here: log levels of its scripts, firmware-assisted dumps. */
	{ "KDUMP_STDLOGLVL", IGNORED },
	{ "KDUMP_SYSLOGLVL", IGNORED },
	{ "KDUMP_KMSGLOGLVL", IGNORED },
	{ "FADUMP_COMMANDLINE_APPEND", IGNORED },
};
_Static_assert(ARRAY_SIZE(keys) <= SETTINGS_KEYS_MAX, "settings.line has room for each key");

static const struct {
	const char *word;
	enum loader_call call;
} kexec_args[] = {
	{ "-s", LOADER_CALL_FILE_LOAD }, { "--kexec-file-syscall", LOADER_CALL_FILE_LOAD },
	{ "-c", LOADER_CALL_LOAD },      { "--kexec-syscall", LOADER_CALL_LOAD },
	{ "-a", LOADER_CALL_AUTO },      { "--kexec-syscall-auto", LOADER_CALL_AUTO },
};

/* Options of kexec(8) itself that kdumpctl decides on. */
static const struct {
	const char *word, *reason;
} not_for_kdumpctl[] = {
	{ "-p", "" },
	{ "--load-panic", "" },
	{ "-d", "\"kdumpctl -v\" says more" },
	{ "--debug", "\"kdumpctl -v\" says more" },
	{ "-i", "kdumpctl always checks the loaded image" },
	{ "--no-checks", "kdumpctl always checks the loaded image" },
};

/* Strip the quotes off @value, in place. Returns NULL, or what is wrong with it. */
static const char *unquote(char *value)
{
	char quote = *value;
	size_t length = strlen(value);

	if (quote == '"' || quote == '\'') {
		if (length < 2 || value[length - 1] != quote)
			return "the closing quote is missing";
		memmove(value, value + 1, length - 2);
		value[length - 2] = '\0';
	}
	/* Within single quotes a shell takes everything literally. */
	if (strpbrk(value, quote == '\'' ? "'" : "\"$`\\"))
		return "quotes, $, ` and \\ are not understood: no shell runs this file";
	if (quote != '"' && quote != '\'' && strpbrk(value, " \t;&|<>()'"))
		return "a value with blanks or special characters needs quotes around it";
	return NULL;
}

/* Options that change nothing here do not cost the machine its protection. */
static struct kd_error *ignore_kexec_arg(const char *word, const char *file, unsigned int line,
					 const struct kd_log *log)
{
	const char *reason = kd_starts_with(word, "--") ? loader_ignored_option(word + 2) : NULL;

	for (size_t i = 0; !reason && i < ARRAY_SIZE(not_for_kdumpctl); i++)
		if (strcmp(word, not_for_kdumpctl[i].word) == 0)
			reason = not_for_kdumpctl[i].reason;
	if (!reason)
		return kd_error_create(KD_ERR_CONFIG, "KEXEC_ARGS takes -s, -c or -a, not %s%s", word,
				       strcmp(word, "--noefi") == 0 ?
					       ": add noefi to KDUMP_COMMANDLINE_APPEND instead" :
					       "");
	if (*reason)
		kd_warn(log, "%s:%u: KEXEC_ARGS: %s is ignored: %s", file, line, word, reason);
	return NULL;
}

static bool find_call(const char *word, enum loader_call *ret)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kexec_args); i++) {
		if (strcmp(word, kexec_args[i].word) != 0)
			continue;
		*ret = kexec_args[i].call;
		return true;
	}
	return false;
}

static struct kd_error *parse_kexec_args(const char *value, unsigned int line, const struct kd_log *log,
					 struct settings *settings)
{
	_cleanup_free_ char **words = kd_split_words(value, NULL);
	struct kd_error *err = NULL;
	size_t i;

	if (!words)
		return errno == ENOMEM ? kd_error_nomem() :
					 kd_error_create(KD_ERR_CONFIG, "KEXEC_ARGS: the closing quote is missing");
	for (i = 0; words[i] && !err; i++)
		if (!find_call(words[i], &settings->call))
			err = ignore_kexec_arg(words[i], settings->file, line, log);
	return err;
}

static char **field_of(const struct settings *settings, size_t i)
{
	return (char **)((char *)settings + keys[i].offset);
}

/* Store @value under @key. */
static struct kd_error *set(struct settings *settings, const char *key, const char *value, unsigned int line,
			    const struct kd_log *log, bool *known)
{
	struct kd_error *err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(key, keys[i].key) == 0)
			break;
	*known = i < ARRAY_SIZE(keys);
	if (!*known || keys[i].offset == IGNORED)
		return NULL;
	if (strcmp(key, "KEXEC_ARGS") == 0 && (err = parse_kexec_args(value, line, log, settings)))
		return err;
	settings->line[i] = line;
	return kd_set_text(field_of(settings, i), *value ? value : NULL);
}

static bool is_name(const char *text)
{
	if (!isalpha((unsigned char)*text) && *text != '_')
		return false;
	while (isalnum((unsigned char)*text) || *text == '_')
		text++;
	return *text == '\0';
}

static struct kd_error *parse_line(char *line, unsigned int number, const struct kd_log *log, struct settings *settings,
				   const char **unknown)
{
	char *value = strchr(line, '='), *comment;
	const char *wrong;
	struct kd_error *err;
	bool known;

	if (!value)
		return kd_error_create(KD_ERR_CONFIG, "not a KEY=value line: %s", line);
	*value++ = '\0';
	if (!is_name(line))
		return kd_error_create(KD_ERR_CONFIG, "\"%s\" is not a name (write no blanks around the =)", line);
	/* As in a shell, a comment starts after a blank; inside quotes # is an ordinary character. */
	comment = *value == '"' || *value == '\'' ? strchr(value + 1, *value) : value;
	comment = comment ? strstr(comment, " #") : NULL;
	if (comment)
		*comment = '\0';
	value = kd_strip(value);
	wrong = unquote(value);
	if (wrong)
		return kd_error_create(KD_ERR_CONFIG, "value of %s: %s", line, wrong);
	err = set(settings, line, value, number, log, &known);
	*unknown = known ? NULL : line;
	return err;
}

struct kd_error *settings_parse(const char *text, const char *file, const struct kd_log *log, struct settings *ret)
{
	_cleanup_free_ char *copy = strdup(config_skip_mark(text));
	_cleanup_(settings_free) struct settings settings = { .call = LOADER_CALL_AUTO };
	unsigned int number = 0;
	char *line, *next;

	settings.file = strdup(file);
	if (!copy || !settings.file)
		return kd_error_nomem();
	for (line = copy; line; line = next) {
		const char *unknown = NULL;
		struct kd_error *err;

		number++;
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		line = kd_strip(line);
		if (*line == '\0' || *line == '#')
			continue;
		err = config_check_line(line);
		if (!err)
			err = parse_line(line, number, log, &settings, &unknown);
		if (err)
			return kd_error_wrap(err, "%s:%u", file, number);
		if (unknown)
			kd_warn(log, "%s:%u: the unknown setting %s is ignored", file, number, unknown);
	}
	*ret = settings;
	settings = (struct settings){ 0 };
	return NULL;
}

struct kd_error *settings_load(const struct kd_sysroot *root, const struct kd_log *log, struct settings *ret)
{
	size_t i;

	for (i = 0; i < SETTINGS_FILES; i++) {
		_cleanup_free_ char *text = NULL;
		struct kd_error *err = config_read(root, settings_files[i], &text);

		if (!err)
			return settings_parse(text, settings_files[i], log, ret);
		if (err->errnum != ENOENT)
			return err;
		kd_error_destroy(err);
	}
	*ret = (struct settings){ .call = LOADER_CALL_AUTO };
	return NULL;
}

bool settings_get(const struct settings *settings, size_t i, const char **key, const char **value, unsigned int *line)
{
	/* The ignored keys are the last of the table. */
	if (i >= ARRAY_SIZE(keys) || keys[i].offset == IGNORED)
		return false;
	*key = keys[i].key;
	*value = *field_of(settings, i);
	*line = settings->line[i];
	return true;
}

void settings_free(struct settings *settings)
{
	size_t i;

	free(settings->file);
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].offset != IGNORED)
			free(*field_of(settings, i));
	*settings = (struct settings){ 0 };
}
