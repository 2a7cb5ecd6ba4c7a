/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/config/collector.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "base/parse.h"
#include "base/run.h"
#include "dumpfilter/dumpfilter.h"
#include "kdump/config/program.h"

static bool is_called(const char *program, const char *name)
{
	const char *slash = strrchr(program, '/');

	return strcmp(slash ? slash + 1 : program, name) == 0;
}

bool collector_is_dumpfilter(const char *program)
{
	return is_called(program, "dumpfilter");
}

bool collector_is_makedumpfile(const char *program)
{
	return is_called(program, "makedumpfile");
}

/* The value of --config, which makedumpfile(8) has too; "" if it is not given. */
static const char *find_config(char *const *argv)
{
	static const char option[] = "--config";
	const char *config = "";

	for (size_t i = 1; argv[i]; i++) {
		size_t length = strcspn(argv[i], "=");

		/* getopt_long(3) accepts an abbreviated name. */
		if (length < strlen("--co") || length >= sizeof(option) || strncmp(argv[i], option, length) != 0)
			continue;
		if (argv[i][length])
			config = argv[i] + length + 1;
		else if (argv[i + 1])
			config = argv[i + 1];
	}
	return config;
}

/* A file name of one letter is an option whose minus sign was forgotten. */
static struct kd_error *refuse_operand(const char *operand, const char *next)
{
	bool letter = operand[0] && !operand[1] && strchr("cdlpzEF", operand[0]);
	bool number = next && operand[0] == 'd';

	if (letter)
		return kd_error_create(KD_ERR_USAGE, "%s: did you mean \"-%s%s%s\"?", operand, operand,
				       number ? " " : "", number ? next : "");
	return kd_error_create(KD_ERR_USAGE, "%s: give no file names; the capture adds them", operand);
}

/* Does @command write one dump to the file that the capture names? */
static struct kd_error *check_file(const struct dumpfilter_command *command)
{
	if (command->options.flatten)
		return kd_error_create(KD_ERR_USAGE,
				       "-F writes to standard output, for targets of Red Hat's that take a "
				       "stream (ssh, raw): remove it");
	if (!dumpfilter_writes_file(command))
		return kd_error_create(KD_ERR_USAGE, "with these options it does not write exactly one dump file");
	if (command->input)
		return refuse_operand(command->input, command->output);
	return command->output ? refuse_operand(command->output, NULL) : NULL;
}

static struct kd_error *check_dumpfilter(char *const *argv, struct dumpfilter_command *ret)
{
	struct dumpfilter_command command;
	struct kd_error *err = dumpfilter_parse_command((int)kd_count_words(argv), argv, &command);

	if (!err)
		err = check_file(&command);
	if (err)
		return err;
	if (command.options.memory_limit && command.options.memory_limit < DUMPFILTER_MEMORY_MIN)
		return kd_error_create(KD_ERR_CONFIG,
				       "--max-memory: %lu KiB are too little for a dump; it needs at least %lu KiB",
				       command.options.memory_limit >> 10, DUMPFILTER_MEMORY_MIN >> 10);
	if (command.options.size_limit && command.options.size_limit < KD_MIB(1))
		return kd_error_create(KD_ERR_CONFIG,
				       "--size-limit: no dump fits into %" PRIu64 " bytes: did you mean %" PRIu64 "M?",
				       command.options.size_limit,
				       command.options.size_limit % 1024 ? command.options.size_limit :
									   command.options.size_limit / 1024);
	*ret = command;
	return NULL;
}

static struct kd_error *decide_dumpfilter(char *const *argv, struct collector *ret)
{
	struct dumpfilter_options options;
	struct dumpfilter_command command = { 0 };
	struct kd_error *err = check_dumpfilter(argv, &command);

	if (err)
		return err;
	ret->program = collector_is_dumpfilter(argv[0]) ? argv[0] : "dumpfilter";
	ret->erase_config = command.config ? command.config : "";
	ret->kind = kd_error_discard(dumpfilter_parse_built_in(argv, &options)) ? KD_COLLECTOR_DUMPFILTER :
										  KD_COLLECTOR_BUILT_IN;
	return NULL;
}

/* makedumpfile itself tells whether it understands its options. */
static struct kd_error *ask_makedumpfile(const char *path, char *const *argv)
{
	size_t count = kd_count_words(argv), i = 0;
	_cleanup_free_ const char **words = calloc(count + 4, sizeof(*words));
	char said[1024];
	struct kd_error *err;
	int status;

	if (!words)
		return kd_error_nomem();
	words[i++] = path;
	words[i++] = "--check-params";
	for (size_t k = 1; k < count; k++)
		words[i++] = argv[k];
	words[i++] = "vmcore";
	words[i] = "dumpfile";
	err = kd_run(words, true, said, sizeof(said), &status);
	if (err || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		return err;
	for (char *newline = said; (newline = strchr(newline, '\n'));)
		*newline = ' ';
	return kd_error_create(KD_ERR_USAGE, "%s --check-params refuses the options: %s", path, kd_strip(said));
}

static struct kd_error *decide_makedumpfile(const struct kd_sysroot *root, char *const *argv, struct collector *ret)
{
	_cleanup_(kd_error_destroy) struct kd_error *reason = NULL;
	_cleanup_free_ char *path = NULL;
	struct dumpfilter_command command;
	struct kd_error *err = program_look_up(root, argv[0], &path);
	bool exists = false;

	if (err)
		return err;
	if (!path || (!program_is_executable(root, path, &exists) && !exists)) {
		reason = decide_dumpfilter(argv, ret);
		return !reason ? NULL :
				 kd_error_create(KD_ERR_NOT_FOUND,
						 "%s is not installed, and dumpfilter cannot take its place (%s): "
						 "install makedumpfile, or change the options",
						 argv[0], reason->text);
	}
	/* It may have options that dumpfilter does not know; those that both know mean the same. */
	if (!kd_error_discard(dumpfilter_parse_command((int)kd_count_words(argv), argv, &command)))
		err = check_file(&command);
	if (!err && kd_sysroot_is_live(root))
		err = ask_makedumpfile(path, argv);
	ret->erase_config = find_config(argv);
	return err;
}

/* The file is read now, since a mistake in it would cost the dump. */
static struct kd_error *check_config(const struct kd_sysroot *root, const struct collector *collector)
{
	const char *path = collector->erase_config;
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;

	if (path[0] != '/')
		return kd_error_create(KD_ERR_CONFIG, "--config %s: the path must be absolute", path);
	err = kd_sysroot_read(root, path, &text, NULL);
	/* The file of another program may have another syntax. */
	if (!err && collector->kind == KD_COLLECTOR_DUMPFILTER)
		err = dumpfilter_check_config(text, path);
	return kd_error_wrap(err, "--config");
}

struct kd_error *collector_decide(const struct kd_sysroot *root, char *const *argv, struct collector *ret)
{
	struct collector collector = { .kind = KD_COLLECTOR_PROGRAM, .program = argv[0] };
	struct kd_error *err = NULL;

	if (collector_is_dumpfilter(argv[0]))
		err = kd_error_wrap(decide_dumpfilter(argv, &collector), "dumpfilter");
	else if (collector_is_makedumpfile(argv[0]))
		err = kd_error_wrap(decide_makedumpfile(root, argv, &collector), "makedumpfile");
	else
		collector.erase_config = find_config(argv);
	if (!err && *collector.erase_config)
		err = check_config(root, &collector);
	if (err)
		return err;
	*ret = collector;
	return NULL;
}

/* Both programs refuse the same options beside -F; those that only makedumpfile knows are left to it. */
struct kd_error *collector_check_stream(const struct collector *collector, char *const *argv)
{
	size_t count = kd_count_words(argv);
	_cleanup_free_ char **words = calloc(count + 2, sizeof(*words));
	struct dumpfilter_command command;
	struct kd_error *err;

	if (!words)
		return kd_error_nomem();
	if (collector->kind == KD_COLLECTOR_PROGRAM && !collector_is_makedumpfile(collector->program))
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"the output of %s cannot be encrypted: use dumpfilter or makedumpfile, or remove "
			"encrypt",
			collector->program);
	words[0] = argv[0];
	words[1] = (char *)"-F";
	memcpy(words + 2, argv + 1, (count - 1) * sizeof(*words));
	err = dumpfilter_parse_command((int)count + 1, words, &command);
	if (err && collector->kind == KD_COLLECTOR_PROGRAM &&
	    kd_error_discard(dumpfilter_parse_command((int)count, argv, &command))) {
		kd_error_destroy(err);
		return NULL;
	}
	return kd_error_wrap(err, "an encrypted dump is written as a stream (-F)");
}
